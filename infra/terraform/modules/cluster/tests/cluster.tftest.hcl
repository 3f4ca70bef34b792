mock_provider "google" {
  mock_data "google_project" {
    defaults = { number = "123456789012" }
  }
  mock_resource "google_container_cluster" {
    defaults = { id = "projects/my-project/locations/us-east5/clusters/tradewind" }
  }
}

variables {
  project_id           = "my-project"
  name                 = "tradewind"
  region               = "us-east5"
  network              = "projects/my-project/global/networks/tradewind"
  subnetwork           = "projects/my-project/regions/us-east5/subnetworks/tradewind-nodes"
  pod_range_name       = "pods"
  service_range_name   = "services"
  node_service_account = "tradewind-node@my-project.iam.gserviceaccount.com"
  kms_key              = "projects/my-project/locations/us-east5/keyRings/tradewind/cryptoKeys/data"
}

run "private_and_shielded" {
  assert {
    condition = alltrue([
      google_container_cluster.this.location == "us-east5",
      google_container_cluster.this.private_cluster_config[0].enable_private_nodes,
      !google_container_cluster.this.control_plane_endpoints_config[0].ip_endpoints_config[0].enabled,
      google_container_node_pool.gateway.network_config[0].enable_private_nodes,
    ])
    error_message = "Neither nodes nor the control plane of the regional cluster have public addresses."
  }
  assert {
    condition = alltrue([
      google_container_cluster.this.workload_identity_config[0].workload_pool == "my-project.svc.id.goog",
      google_container_node_pool.gateway.node_config[0].workload_metadata_config[0].mode == "GKE_METADATA",
      google_container_node_pool.gateway.node_config[0].service_account == var.node_service_account,
      google_container_node_pool.gateway.node_config[0].shielded_instance_config[0].enable_secure_boot,
      google_container_cluster.this.enable_shielded_nodes,
      google_container_cluster.this.database_encryption[0].key_name == var.kms_key,
    ])
    error_message = "Workloads have their own identity, nodes boot what is signed, and secrets are encrypted with our key."
  }
  assert {
    condition     = google_container_cluster.this.monitoring_config[0].managed_prometheus[0].enabled && google_container_cluster.this.release_channel[0].channel == "REGULAR"
    error_message = "Managed Prometheus collects metrics; versions come by the regular channel."
  }
  assert {
    condition     = toset([for grant in google_kms_crypto_key_iam_member.user : grant.member]) == toset(["serviceAccount:service-123456789012@container-engine-robot.iam.gserviceaccount.com", "serviceAccount:service-123456789012@compute-system.iam.gserviceaccount.com"])
    error_message = "The agents that encrypt may use the key."
  }
  assert {
    condition     = google_container_cluster.this.deletion_protection && output.id == "projects/my-project/locations/us-east5/clusters/tradewind"
    error_message = "The cluster is not destroyed by mistake."
  }
}

run "refuses_what_is_no_cluster" {
  command = plan

  variables {
    name               = "Trade wind"
    region             = "us-east5-a"
    release_channel    = "NIGHTLY"
    gateway_nodes      = { min = 3, max = 2 }
    maintenance_window = { days = "weekend", start = "02:00", end = "08:00" }
  }

  expect_failures = [var.name, var.region, var.release_channel, var.gateway_nodes, var.maintenance_window]
}
