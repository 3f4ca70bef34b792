mock_provider "google" {
  mock_resource "google_memorystore_instance" {
    defaults = {
      endpoints = [{
        connections = [
          { psc_auto_connection = [{ connection_type = "CONNECTION_TYPE_READER", ip_address = "10.0.0.8", port = 6379, forwarding_rule = "", network = "", project_id = "", psc_connection_id = "", service_attachment = "" }] },
          { psc_auto_connection = [{ connection_type = "CONNECTION_TYPE_PRIMARY", ip_address = "10.0.0.9", port = 6379, forwarding_rule = "", network = "", project_id = "", psc_connection_id = "", service_attachment = "" }] },
        ]
      }]
      managed_server_ca = [{ ca_certs = [{ certificates = ["-----BEGIN CERTIFICATE-----"] }] }]
    }
  }
  mock_resource "google_sql_database_instance" {
    defaults = { dns_name = "abc.def.us-east5.sql.goog." }
  }
}
mock_provider "google-beta" {}

variables {
  project_id     = "my-project"
  name           = "tradewind"
  region         = "us-east5"
  network        = "projects/my-project/global/networks/tradewind"
  subnetwork     = "projects/my-project/regions/us-east5/subnetworks/tradewind-nodes"
  kms_key        = "projects/my-project/locations/us-east5/keyRings/tradewind/cryptoKeys/data"
  database_users = { gateway = "tradewind-gateway@my-project.iam.gserviceaccount.com" }
}

run "private_encrypted_and_without_passwords" {
  assert {
    condition     = !google_sql_database_instance.this.settings[0].ip_configuration[0].ipv4_enabled && google_sql_database_instance.this.settings[0].ip_configuration[0].ssl_mode == "TRUSTED_CLIENT_CERTIFICATE_REQUIRED"
    error_message = "The database has no public address and speaks TLS with clients that have certificates."
  }
  assert {
    condition     = google_sql_database_instance.this.encryption_key_name == var.kms_key && google_memorystore_instance.this.kms_key == var.kms_key
    error_message = "Both are encrypted with our key."
  }
  assert {
    condition     = output.database_users == { gateway = "tradewind-gateway@my-project.iam" } && alltrue([for user in google_sql_user.this : user.password == null && user.password_wo == null && user.type == "CLOUD_IAM_SERVICE_ACCOUNT"])
    error_message = "Users are service accounts; no password is in the state."
  }
  assert {
    condition     = google_memorystore_instance.this.authorization_mode == "IAM_AUTH" && google_memorystore_instance.this.transit_encryption_mode == "SERVER_AUTHENTICATION"
    error_message = "The cache wants IAM tokens and speaks TLS."
  }
  assert {
    condition     = output.cache_address == "10.0.0.9:6379" && one(output.cache_certificates) == "-----BEGIN CERTIFICATE-----"
    error_message = "The cache's address is its primary node's."
  }
  assert {
    condition     = google_dns_record_set.database.name == "abc.def.us-east5.sql.goog." && google_dns_record_set.database.rrdatas == tolist([output.database_address])
    error_message = "The instance's own name leads to its address in this network."
  }
  assert {
    condition     = google_sql_database_instance.this.deletion_protection && google_memorystore_instance.this.deletion_protection_enabled
    error_message = "Neither is deleted by mistake."
  }
}

run "goes_without_a_trace_when_told" {
  command = plan

  variables {
    deletion_protection = false
    high_availability   = false
  }

  assert {
    condition = alltrue([
      !google_sql_database_instance.this.deletion_protection,
      !google_sql_database_instance.this.settings[0].deletion_protection_enabled,
      !google_sql_database_instance.this.settings[0].retain_backups_on_delete,
      !google_sql_database_instance.this.settings[0].final_backup_config[0].enabled,
      !google_memorystore_instance.this.deletion_protection_enabled,
    ])
    error_message = "Nothing refuses to go, and no backup stays behind."
  }
  assert {
    condition     = google_sql_database_instance.this.settings[0].availability_type == "ZONAL" && google_memorystore_instance.this.replica_count == 0
    error_message = "One copy of each."
  }
}

run "refuses_what_google_does_not_sell" {
  command = plan

  variables {
    database_tier   = "big"
    cache_node_type = "HUGE"
    database_users  = { me = "me@example.com" }
  }

  expect_failures = [var.database_tier, var.cache_node_type, var.database_users]
}
