data "google_storage_project_service_account" "this" {
  project = var.project_id
}

resource "google_project_service_identity" "artifact_registry" {
  provider = google-beta

  project = var.project_id
  service = "artifactregistry.googleapis.com"
}

# A ring and a key can never be deleted, only a key's versions, which `destroy` does. Neither costs anything then.
resource "google_kms_key_ring" "this" {
  project  = var.project_id
  name     = var.name
  location = var.region
}

resource "google_kms_crypto_key" "this" {
  #checkov:skip=CKV_GCP_82:The data that it encrypts is protected by deletion_protection; a key that Terraform may not destroy goes on costing money.
  name            = "data"
  key_ring        = google_kms_key_ring.this.id
  rotation_period = "7776000s" # 90 days
  labels          = var.labels
}

resource "google_kms_crypto_key_iam_member" "user" {
  for_each = {
    storage           = data.google_storage_project_service_account.this.member
    artifact_registry = google_project_service_identity.artifact_registry.member
  }

  crypto_key_id = google_kms_crypto_key.this.id
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = each.value
}

resource "google_storage_bucket" "this" {
  #checkov:skip=CKV_GCP_62:Who read what is in Cloud Audit Logs; access logs in a further bucket would say it again, for money.
  for_each = toset(["checkpoints", "documents"])

  project                     = var.project_id
  name                        = "${var.project_id}-${var.name}-${each.key}"
  location                    = var.region
  labels                      = var.labels
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = !var.deletion_protection

  versioning {
    enabled = true
  }

  encryption {
    default_kms_key_name = google_kms_crypto_key.this.id
  }

  # Versions protect from mistakes. Soft deletion would keep, and bill, what was in a bucket after its end.
  soft_delete_policy {
    retention_duration_seconds = 0
  }

  lifecycle_rule {
    condition {
      num_newer_versions = var.noncurrent_versions + 1
      with_state         = "ARCHIVED"
    }
    action {
      type = "Delete"
    }
  }
  lifecycle_rule {
    condition {
      days_since_noncurrent_time = var.noncurrent_days
      with_state                 = "ARCHIVED"
    }
    action {
      type = "Delete"
    }
  }
  lifecycle_rule {
    condition {
      age = 7
    }
    action {
      type = "AbortIncompleteMultipartUpload"
    }
  }

  depends_on = [google_kms_crypto_key_iam_member.user]
}

resource "google_artifact_registry_repository" "images" {
  project       = var.project_id
  location      = var.region
  repository_id = var.name
  description   = "Images of the gateway and the engine."
  format        = "DOCKER"
  kms_key_name  = google_kms_crypto_key.this.id
  labels        = var.labels

  docker_config {
    immutable_tags = true
  }

  # Untagged layers go after a month, but never the newest ten images.
  cleanup_policies {
    id     = "untagged"
    action = "DELETE"

    condition {
      tag_state  = "UNTAGGED"
      older_than = "2592000s"
    }
  }
  cleanup_policies {
    id     = "newest"
    action = "KEEP"

    most_recent_versions {
      keep_count = 10
    }
  }

  depends_on = [google_kms_crypto_key_iam_member.user]
}
