resource "google_container_node_pool" "this" {
  project            = var.project_id
  cluster            = var.cluster
  name               = var.name
  node_locations     = [var.zone]
  initial_node_count = 0

  autoscaling {
    min_node_count  = 0
    max_node_count  = var.max_nodes
    location_policy = "ANY"
  }

  management {
    auto_repair  = true
    auto_upgrade = true
  }

  upgrade_settings {
    max_surge       = 0
    max_unavailable = 1
  }

  network_config {
    enable_private_nodes = true
  }

  node_config {
    machine_type      = "a3-highgpu-${var.gpus_per_node}g"
    image_type        = "COS_CONTAINERD"
    disk_type         = "pd-balanced"
    disk_size_gb      = 200
    boot_disk_kms_key = var.kms_key
    service_account   = var.service_account
    oauth_scopes      = ["https://www.googleapis.com/auth/cloud-platform"]
    resource_labels   = var.labels
    spot              = var.capacity == "spot"

    guest_accelerator {
      type  = "nvidia-h100-80gb"
      count = var.gpus_per_node

      gpu_driver_installation_config {
        gpu_driver_version = "LATEST"
      }
    }

    # Two local disks come with each GPU; emptyDir volumes lie on them.
    ephemeral_storage_local_ssd_config {
      local_ssd_count = 2 * var.gpus_per_node
    }

    reservation_affinity {
      consume_reservation_type = var.capacity == "reservation" ? "SPECIFIC_RESERVATION" : "NO_RESERVATION"
      key                      = var.capacity == "reservation" ? "compute.googleapis.com/reservation-name" : null
      values                   = var.capacity == "reservation" ? [var.reservation] : null
    }

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
