locals {
  region = join("-", slice(split("-", var.zone), 0, 2))
  labels = merge({ app = "tradewind", root = "single-slice" }, var.labels)

  # Buckets that the slice reads: that of the release, and the model's where it is in one.
  buckets = toset([
    for uri in compact([var.release, startswith(var.model, "gs://") ? var.model : ""]) : split("/", trimprefix(uri, "gs://"))[0]
  ])
}

resource "google_project_service" "this" {
  for_each = toset(concat(
    ["compute.googleapis.com", "iam.googleapis.com", "iap.googleapis.com", "storage.googleapis.com", "tpu.googleapis.com"],
    var.budget == null ? [] : ["billingbudgets.googleapis.com"],
  ))

  service            = each.key
  disable_on_destroy = false
}

module "network" {
  source = "../../modules/network"

  name          = "tradewind"
  region        = local.region
  caller_ranges = var.caller_ranges

  depends_on = [google_project_service.this]
}

module "iam" {
  source = "../../modules/iam"

  project_id = var.project_id
  name       = "tradewind"
  workloads = {
    slice = {
      project_roles = ["roles/logging.logWriter", "roles/monitoring.metricWriter"]
      bucket_roles  = { for bucket in local.buckets : bucket => "roles/storage.objectViewer" }
    }
  }

  depends_on = [google_project_service.this]
}

module "slice" {
  source = "../../modules/tpu_vm"

  project_id         = var.project_id
  name               = "tradewind"
  zone               = var.zone
  topology           = var.topology
  capacity           = var.capacity
  subnetwork         = module.network.subnetwork
  tags               = [module.network.slice_tag, module.network.serving_tag]
  external_addresses = length(var.caller_ranges) > 0
  service_account    = module.iam.emails["slice"]
  release            = var.release
  model              = var.model
  settings           = var.settings
  labels             = local.labels
}

module "budget" {
  source = "../../modules/budget"
  count  = var.budget == null ? 0 : 1

  billing_account = var.budget.billing_account
  project_id      = var.project_id
  name            = "tradewind"
  monthly_amount  = var.budget.monthly_amount

  depends_on = [google_project_service.this]
}
