module "tpu_slices" {
  source = "../tpu_slices"
}

locals {
  slice = module.tpu_slices.slices[var.topology]

  environment = merge(
    { for name, value in var.settings : "TRADEWIND_${upper(replace(name, ".", "__"))}" => value },
    var.model == "" ? {} : { TRADEWIND_MODEL = var.model },
  )
}

# A node, not a queued resource: in provider 8.7 the latter takes no metadata, and so no start-up script, no service
# account, no tags and no spot.
resource "google_tpu_v2_vm" "this" {
  #checkov:skip=CKV2_GCP_32:It has no public address unless the caller asks for one, which a firewall then opens to a range of their own.
  provider = google-beta

  project          = var.project_id
  name             = var.name
  zone             = var.zone
  description      = "Tradewind on ${var.topology}"
  accelerator_type = local.slice.vm_accelerator
  runtime_version  = local.slice.vm_runtime
  tags             = var.tags
  labels           = var.labels

  network_config {
    subnetwork          = var.subnetwork
    enable_external_ips = var.external_addresses
    can_ip_forward      = false
  }

  scheduling_config {
    spot     = var.capacity == "spot"
    reserved = var.capacity == "reservation"
  }

  service_account {
    email = var.service_account
    scope = ["https://www.googleapis.com/auth/cloud-platform"]
  }

  shielded_instance_config {
    enable_secure_boot = true
  }

  # The script reads what follows it from the machine's own metadata.
  metadata = {
    startup-script        = file("${path.module}/startup.sh")
    tradewind-release     = var.release
    tradewind-environment = join("\n", [for name, value in local.environment : "${name}=${value}"])
  }
}
