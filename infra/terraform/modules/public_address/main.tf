resource "google_compute_global_address" "this" {
  project = var.project_id
  name    = var.name
  labels  = var.labels
}

resource "google_compute_security_policy" "this" {
  #checkov:skip=CKV_GCP_73:The rule against Log4j's hole; nothing here runs Java.
  project = var.project_id
  name    = var.name
  labels  = var.labels

  rule {
    description = "Callers, each so many requests a minute."
    priority    = 1000
    action      = "throttle"

    match {
      versioned_expr = "SRC_IPS_V1"
      config {
        src_ip_ranges = var.caller_ranges
      }
    }
    rate_limit_options {
      conform_action = "allow"
      exceed_action  = "deny(429)"
      enforce_on_key = "IP"

      rate_limit_threshold {
        count        = var.requests_per_minute
        interval_sec = 60
      }
    }
  }

  rule {
    description = "Nobody else."
    priority    = 2147483647
    action      = "deny(403)"

    match {
      versioned_expr = "SRC_IPS_V1"
      config {
        src_ip_ranges = ["*"]
      }
    }
  }
}

# Google issues the certificate once the domain shows the record that `dns_records` names.
resource "google_certificate_manager_dns_authorization" "this" {
  count = var.domain == "" ? 0 : 1

  project = var.project_id
  name    = var.name
  domain  = var.domain
  labels  = var.labels
}

resource "google_certificate_manager_certificate" "this" {
  count = var.domain == "" ? 0 : 1

  project = var.project_id
  name    = var.name
  labels  = var.labels

  managed {
    domains            = [var.domain]
    dns_authorizations = [google_certificate_manager_dns_authorization.this[0].id]
  }
}

resource "google_certificate_manager_certificate_map" "this" {
  count = var.domain == "" ? 0 : 1

  project = var.project_id
  name    = var.name
  labels  = var.labels
}

resource "google_certificate_manager_certificate_map_entry" "this" {
  count = var.domain == "" ? 0 : 1

  project      = var.project_id
  name         = var.name
  map          = google_certificate_manager_certificate_map.this[0].name
  hostname     = var.domain
  certificates = [google_certificate_manager_certificate.this[0].id]
  labels       = var.labels
}
