resource "google_project_service_identity" "this" {
  provider = google-beta
  for_each = toset(["sqladmin", "memorystore"])

  project = var.project_id
  service = "${each.key}.googleapis.com"
}

resource "google_kms_crypto_key_iam_member" "user" {
  for_each = google_project_service_identity.this

  crypto_key_id = var.kms_key
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = each.value.member
}

# Private Service Connect puts an address of ours in front of each. Unlike a peering it ends with what it leads to.
resource "google_network_connectivity_service_connection_policy" "this" {
  for_each = { database = "google-cloud-sql", cache = "gcp-memorystore" }

  project       = var.project_id
  name          = "${var.name}-${each.key}"
  location      = var.region
  network       = var.network
  service_class = each.value
  labels        = var.labels

  psc_config {
    subnetworks = [var.subnetwork]
  }
}

resource "google_sql_database_instance" "this" {
  #checkov:skip=CKV_GCP_111:Statements hold what users wrote, which stays out of logs; changes of the schema are logged.
  #checkov:skip=CKV2_GCP_20:A rule of MySQL; PostgreSQL recovers to a point in time, as configured below.
  project             = var.project_id
  name                = var.name
  region              = var.region
  database_version    = "POSTGRES_18"
  encryption_key_name = var.kms_key
  deletion_protection = var.deletion_protection

  settings {
    tier                        = var.database_tier
    edition                     = "ENTERPRISE"
    availability_type           = var.high_availability ? "REGIONAL" : "ZONAL"
    disk_type                   = "PD_SSD"
    disk_autoresize             = true
    deletion_protection_enabled = var.deletion_protection
    retain_backups_on_delete    = false
    user_labels                 = var.labels

    ip_configuration {
      ipv4_enabled = false
      ssl_mode     = "TRUSTED_CLIENT_CERTIFICATE_REQUIRED" # as the Cloud SQL proxy has them

      psc_config {
        psc_enabled               = true
        allowed_consumer_projects = [var.project_id]

        psc_auto_connections {
          consumer_network            = var.network
          consumer_service_project_id = var.project_id
        }
      }
    }

    backup_configuration {
      enabled                        = true
      point_in_time_recovery_enabled = true

      backup_retention_settings {
        retained_backups = 14
      }
    }

    final_backup_config {
      enabled = false
    }

    maintenance_window {
      day          = 7
      hour         = 3
      update_track = "stable"
    }

    insights_config {
      query_insights_enabled = true
    }

    database_flags {
      name  = "cloudsql.iam_authentication"
      value = "on"
    }
    database_flags {
      name  = "cloudsql.enable_pgaudit"
      value = "on"
    }
    database_flags {
      name  = "log_checkpoints"
      value = "on"
    }
    database_flags {
      name  = "log_connections"
      value = "on"
    }
    database_flags {
      name  = "log_disconnections"
      value = "on"
    }
    database_flags {
      name  = "log_duration"
      value = "on"
    }
    database_flags {
      name  = "log_hostname"
      value = "on"
    }
    database_flags {
      name  = "log_lock_waits"
      value = "on"
    }
    database_flags {
      name  = "log_min_duration_statement"
      value = "-1"
    }
    database_flags {
      name  = "log_min_error_statement"
      value = "error"
    }
    database_flags {
      name  = "log_min_messages"
      value = "warning"
    }
    database_flags {
      name  = "log_statement"
      value = "ddl"
    }
    database_flags {
      name  = "log_temp_files"
      value = "0"
    }
  }

  depends_on = [
    google_kms_crypto_key_iam_member.user,
    google_network_connectivity_service_connection_policy.this,
  ]
}

resource "google_sql_database" "this" {
  project  = var.project_id
  name     = "tradewind"
  instance = google_sql_database_instance.this.name
}

resource "google_sql_user" "this" {
  for_each = var.database_users

  project  = var.project_id
  instance = google_sql_database_instance.this.name
  type     = "CLOUD_IAM_SERVICE_ACCOUNT"
  name     = trimsuffix(each.value, ".gserviceaccount.com")
}

# The Cloud SQL proxy finds the instance by its own name, which has to mean the address in this network.
resource "google_dns_managed_zone" "database" {
  #checkov:skip=CKV_GCP_16:A private zone, which cannot be signed.
  project     = var.project_id
  name        = "${var.name}-database"
  description = "The name of the database instance, for this network alone."
  dns_name    = google_sql_database_instance.this.dns_name
  visibility  = "private"
  labels      = var.labels

  private_visibility_config {
    networks {
      network_url = var.network
    }
  }
}

resource "google_dns_record_set" "database" {
  project      = var.project_id
  managed_zone = google_dns_managed_zone.database.name
  name         = google_sql_database_instance.this.dns_name
  type         = "A"
  ttl          = 300
  rrdatas      = [local.database_address]
}

resource "google_memorystore_instance" "this" {
  project                     = var.project_id
  instance_id                 = var.name
  location                    = var.region
  engine_version              = "VALKEY_8_0"
  mode                        = "CLUSTER_DISABLED"
  node_type                   = var.cache_node_type
  shard_count                 = 1
  replica_count               = var.high_availability ? 1 : 0
  authorization_mode          = "IAM_AUTH"
  transit_encryption_mode     = "SERVER_AUTHENTICATION"
  kms_key                     = var.kms_key
  deletion_protection_enabled = var.deletion_protection
  labels                      = var.labels

  desired_auto_created_endpoints {
    network    = var.network
    project_id = var.project_id
  }

  persistence_config {
    mode = "DISABLED"
  }

  depends_on = [
    google_kms_crypto_key_iam_member.user,
    google_network_connectivity_service_connection_policy.this,
  ]
}

locals {
  psc = google_sql_database_instance.this.settings[0].ip_configuration[0].psc_config

  database_address = one(local.psc).psc_auto_connections[0].ip_address
  cache_connections = flatten([
    for endpoint in google_memorystore_instance.this.endpoints : [
      for connection in endpoint.connections : connection.psc_auto_connection
    ]
  ])
}
