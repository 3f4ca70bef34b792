locals {
  serving_tag = "${var.name}-serving"
  slice_tag   = "${var.name}-slice"
}

resource "google_compute_network" "this" {
  name                            = var.name
  auto_create_subnetworks         = false
  routing_mode                    = "REGIONAL"
  delete_default_routes_on_create = false
}

resource "google_compute_subnetwork" "nodes" {
  #checkov:skip=CKV_GCP_76:The subnet is IPv4 only; there is no IPv6 traffic to keep private.
  name                     = "${var.name}-nodes"
  region                   = var.region
  network                  = google_compute_network.this.id
  ip_cidr_range            = var.node_range
  private_ip_google_access = true

  secondary_ip_range {
    range_name    = "pods"
    ip_cidr_range = var.pod_range
  }
  secondary_ip_range {
    range_name    = "services"
    ip_cidr_range = var.service_range
  }

  log_config {
    aggregation_interval = "INTERVAL_10_MIN"
    flow_sampling        = 0.1
    metadata             = "INCLUDE_ALL_METADATA"
  }
}

# Machines have no addresses of their own; what they fetch from outside of Google goes through here.
resource "google_compute_router" "this" {
  name    = var.name
  region  = var.region
  network = google_compute_network.this.id
}

resource "google_compute_router_nat" "this" {
  name                               = var.name
  region                             = var.region
  router                             = google_compute_router.this.name
  nat_ip_allocate_option             = "AUTO_ONLY"
  source_subnetwork_ip_ranges_to_nat = "ALL_SUBNETWORKS_ALL_IP_RANGES"

  log_config {
    enable = true
    filter = "ERRORS_ONLY"
  }
}

# Administrators come through Identity-Aware Proxy, which knows who they are.
resource "google_compute_firewall" "iap" {
  name          = "${var.name}-iap-ssh"
  network       = google_compute_network.this.id
  source_ranges = ["35.235.240.0/20"]
  target_tags   = [local.slice_tag]

  allow {
    protocol = "tcp"
    ports    = ["22"]
  }

  log_config {
    metadata = "INCLUDE_ALL_METADATA"
  }
}

# The hosts of a slice talk to each other: jax.distributed, the engine's gRPC, and libtpu on ports of its own choice.
resource "google_compute_firewall" "slice" {
  name        = "${var.name}-slice"
  network     = google_compute_network.this.id
  source_tags = [local.slice_tag]
  target_tags = [local.slice_tag]

  allow {
    protocol = "tcp"
  }
  allow {
    protocol = "icmp"
  }
}

resource "google_compute_firewall" "callers" {
  count = length(var.caller_ranges) > 0 ? 1 : 0

  name          = "${var.name}-callers"
  network       = google_compute_network.this.id
  source_ranges = var.caller_ranges
  target_tags   = [local.serving_tag]

  allow {
    protocol = "tcp"
    ports    = ["8000"]
  }

  log_config {
    metadata = "INCLUDE_ALL_METADATA"
  }
}
