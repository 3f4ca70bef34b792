module "tpu_slices" {
  source = "../tpu_slices"
}

locals {
  slice      = module.tpu_slices.slices[var.topology]
  multi_host = local.slice.hosts > 1
  elastic    = var.scale_to_zero || var.capacity == "flex-start"
}

# TPU7x places the hosts of a slice by a policy of its own.
resource "google_compute_resource_policy" "this" {
  count = local.multi_host && local.slice.workload_policy ? 1 : 0

  project = var.project_id
  name    = var.name
  region  = join("-", slice(split("-", var.zone), 0, 2))

  workload_policy {
    type                 = "HIGH_THROUGHPUT"
    accelerator_topology = local.slice.topology
  }
}

resource "google_container_node_pool" "this" {
  #checkov:skip=CKV_GCP_9:Auto-repair is on for all but flex-start, which does not allow it: a repaired host would wait its turn again.
  project        = var.project_id
  cluster        = var.cluster
  name           = var.name
  node_locations = [var.zone]

  # All hosts of a slice, or none. An elastic pool begins with none.
  node_count         = local.elastic ? null : local.slice.hosts
  initial_node_count = local.elastic ? 0 : null

  dynamic "autoscaling" {
    for_each = local.elastic ? ["elastic"] : []
    content {
      min_node_count  = 0
      max_node_count  = local.slice.hosts
      location_policy = "ANY"
    }
  }

  # A single host needs no placement.
  dynamic "placement_policy" {
    for_each = local.multi_host ? ["several hosts"] : []
    content {
      type         = "COMPACT"
      tpu_topology = local.slice.topology
      policy_name  = one(google_compute_resource_policy.this[*].name)
    }
  }

  management {
    auto_repair  = var.capacity != "flex-start"
    auto_upgrade = true
  }

  upgrade_settings {
    max_surge       = 0 # there are no spare slices
    max_unavailable = 1
  }

  network_config {
    enable_private_nodes = true
  }

  node_config {
    machine_type      = local.slice.machine_type
    image_type        = "COS_CONTAINERD"
    disk_type         = local.slice.disk_type
    disk_size_gb      = 200
    boot_disk_kms_key = var.kms_key
    service_account   = var.service_account
    oauth_scopes      = ["https://www.googleapis.com/auth/cloud-platform"]
    resource_labels   = var.labels

    spot             = var.capacity == "spot"
    flex_start       = var.capacity == "flex-start" ? true : null
    max_run_duration = var.capacity == "flex-start" ? "${var.max_run_hours * 3600}s" : null

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
