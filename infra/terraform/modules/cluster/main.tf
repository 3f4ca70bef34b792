data "google_project" "this" {
  project_id = var.project_id
}

locals {
  # GKE's own agent encrypts secrets, Compute Engine's the disks.
  key_users = {
    secrets = "serviceAccount:service-${data.google_project.this.number}@container-engine-robot.iam.gserviceaccount.com"
    disks   = "serviceAccount:service-${data.google_project.this.number}@compute-system.iam.gserviceaccount.com"
  }
}

resource "google_kms_crypto_key_iam_member" "user" {
  for_each = local.key_users

  crypto_key_id = var.kms_key
  role          = "roles/cloudkms.cryptoKeyEncrypterDecrypter"
  member        = each.value
}

resource "google_container_cluster" "this" {
  #checkov:skip=CKV_GCP_20:The control plane has no address to authorise networks for; it is reached by its DNS name, by who has the IAM role.
  #checkov:skip=CKV_GCP_65:Google Groups for RBAC need a Workspace domain, which not every project has.
  #checkov:skip=CKV_GCP_66:Binary Authorization needs signed images, and so a policy of the organisation that builds them.
  #checkov:skip=CKV_GCP_69:The metadata server is configured in every node pool; the default pool is removed.
  #checkov:skip=CKV_GCP_12:Dataplane V2 enforces network policies without the addon that this rule looks for.
  project             = var.project_id
  name                = var.name
  location            = var.region
  resource_labels     = var.labels
  deletion_protection = var.deletion_protection

  network           = var.network
  subnetwork        = var.subnetwork
  networking_mode   = "VPC_NATIVE"
  datapath_provider = "ADVANCED_DATAPATH"

  enable_intranode_visibility = true
  enable_shielded_nodes       = true

  # Node pools come and go by themselves; the first one only brings the cluster up.
  remove_default_node_pool = true
  initial_node_count       = 1

  node_config {
    service_account   = var.node_service_account
    boot_disk_kms_key = var.kms_key

    shielded_instance_config {
      enable_secure_boot          = true
      enable_integrity_monitoring = true
    }
    workload_metadata_config {
      mode = "GKE_METADATA"
    }
  }

  ip_allocation_policy {
    cluster_secondary_range_name  = var.pod_range_name
    services_secondary_range_name = var.service_range_name
  }

  private_cluster_config {
    enable_private_nodes = true
  }

  control_plane_endpoints_config {
    dns_endpoint_config {
      allow_external_traffic = true # behind IAM, as every Google API is
    }
    ip_endpoints_config {
      enabled = false
    }
  }

  master_auth {
    client_certificate_config {
      issue_client_certificate = false
    }
  }

  workload_identity_config {
    workload_pool = "${var.project_id}.svc.id.goog"
  }

  database_encryption {
    state    = "ENCRYPTED"
    key_name = var.kms_key
  }

  release_channel {
    channel = var.release_channel
  }

  gateway_api_config {
    channel = "CHANNEL_STANDARD"
  }

  addons_config {
    gcs_fuse_csi_driver_config {
      enabled = true
    }
    dns_cache_config {
      enabled = true
    }
  }

  logging_config {
    enable_components = ["SYSTEM_COMPONENTS", "WORKLOADS"]
  }

  monitoring_config {
    enable_components = ["SYSTEM_COMPONENTS", "POD", "DEPLOYMENT", "STATEFULSET", "HPA"]

    managed_prometheus {
      enabled = true
    }
  }

  security_posture_config {
    mode               = "BASIC"
    vulnerability_mode = "VULNERABILITY_BASIC"
  }

  cost_management_config {
    enabled = true
  }

  maintenance_policy {
    recurring_window {
      start_time = "2026-01-03T${var.maintenance_window.start}:00Z"
      end_time   = "2026-01-03T${var.maintenance_window.end}:00Z"
      recurrence = "FREQ=WEEKLY;BYDAY=${var.maintenance_window.days}"
    }
  }

  depends_on = [google_kms_crypto_key_iam_member.user]

  lifecycle {
    ignore_changes = [node_config, initial_node_count]
  }
}

resource "google_container_node_pool" "gateway" {
  project  = var.project_id
  cluster  = google_container_cluster.this.id
  name     = "gateway"
  location = var.region

  autoscaling {
    min_node_count = var.gateway_nodes.min
    max_node_count = var.gateway_nodes.max
  }

  management {
    auto_repair  = true
    auto_upgrade = true
  }

  upgrade_settings {
    max_surge       = 1
    max_unavailable = 0
  }

  network_config {
    enable_private_nodes = true
  }

  node_config {
    machine_type      = var.gateway_machine_type
    image_type        = "COS_CONTAINERD"
    disk_type         = "pd-balanced"
    disk_size_gb      = 50
    boot_disk_kms_key = var.kms_key
    service_account   = var.node_service_account
    oauth_scopes      = ["https://www.googleapis.com/auth/cloud-platform"]
    resource_labels   = var.labels

    gvnic {
      enabled = true
    }
    shielded_instance_config {
      enable_secure_boot          = true
      enable_integrity_monitoring = true
    }
    workload_metadata_config {
      mode = "GKE_METADATA"
    }
  }
}
