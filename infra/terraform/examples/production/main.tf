locals {
  name   = "tradewind"
  labels = merge({ app = "tradewind", root = "production" }, var.labels)
}

resource "google_project_service" "this" {
  for_each = toset([
    for api in concat(
      ["artifactregistry", "certificatemanager", "cloudkms", "compute", "container", "dns", "iam", "memorystore", "monitoring"],
      ["networkconnectivity", "sqladmin", "storage", "tpu"],
      var.budget == null ? [] : ["billingbudgets"],
    ) : "${api}.googleapis.com"
  ])

  service            = each.key
  disable_on_destroy = false
}

module "network" {
  source = "../../modules/network"

  name   = local.name
  region = var.region

  depends_on = [google_project_service.this]
}

module "storage" {
  source = "../../modules/storage"

  project_id          = var.project_id
  name                = local.name
  region              = var.region
  labels              = local.labels
  deletion_protection = var.deletion_protection

  depends_on = [google_project_service.this]
}

# What nodes run as. They pull images, and say how they are; what runs on them has accounts of its own, below.
module "node_iam" {
  source = "../../modules/iam"

  project_id = var.project_id
  name       = local.name
  workloads = {
    node = {
      project_roles    = ["roles/container.defaultNodeServiceAccount"]
      repository_roles = { (module.storage.repository) = "roles/artifactregistry.reader" }
    }
  }
}

module "cluster" {
  source = "../../modules/cluster"

  project_id           = var.project_id
  name                 = local.name
  region               = var.region
  network              = module.network.network
  subnetwork           = module.network.subnetwork
  pod_range_name       = module.network.pod_range_name
  service_range_name   = module.network.service_range_name
  node_service_account = module.node_iam.emails["node"]
  kms_key              = module.storage.kms_key
  labels               = local.labels
  deletion_protection  = var.deletion_protection
}

module "workload_iam" {
  source = "../../modules/iam"

  project_id = var.project_id
  name       = local.name
  workloads = {
    gateway = {
      kubernetes_account = "${var.kubernetes_namespace}/gateway"
      project_roles      = ["roles/cloudsql.client", "roles/cloudsql.instanceUser", "roles/memorystore.dbConnectionUser"]
      bucket_roles = {
        (module.storage.checkpoints_bucket) = "roles/storage.objectViewer" # tokenizer and chat template
        (module.storage.documents_bucket)   = "roles/storage.objectUser"
      }
    }
    engine = {
      kubernetes_account = "${var.kubernetes_namespace}/engine"
      bucket_roles       = { (module.storage.checkpoints_bucket) = "roles/storage.objectViewer" }
    }
    # The Custom Metrics Stackdriver Adapter, by which gateways scale with what waits.
    metrics = {
      kubernetes_account = "custom-metrics/custom-metrics-stackdriver-adapter"
      project_roles      = ["roles/monitoring.viewer"]
    }
  }

  depends_on = [module.cluster] # whose Workload Identity pool the accounts name
}

module "tpu_node_pool" {
  source   = "../../modules/tpu_node_pool"
  for_each = var.tpu_pools

  project_id      = var.project_id
  name            = each.key
  cluster         = module.cluster.id
  zone            = each.value.zone
  topology        = each.value.topology
  capacity        = each.value.capacity
  reservation     = each.value.reservation
  scale_to_zero   = each.value.scale_to_zero
  service_account = module.node_iam.emails["node"]
  kms_key         = module.storage.kms_key
  labels          = local.labels
}

module "gpu_node_pool" {
  source = "../../modules/gpu_node_pool"
  count  = var.gpu_pool == null ? 0 : 1

  project_id      = var.project_id
  name            = "h100"
  cluster         = module.cluster.id
  zone            = var.gpu_pool.zone
  gpus_per_node   = var.gpu_pool.gpus_per_node
  max_nodes       = var.gpu_pool.max_nodes
  capacity        = var.gpu_pool.capacity
  reservation     = var.gpu_pool.reservation
  service_account = module.node_iam.emails["node"]
  kms_key         = module.storage.kms_key
  labels          = local.labels
}

module "data" {
  source = "../../modules/data"
  count  = var.data ? 1 : 0

  project_id          = var.project_id
  name                = local.name
  region              = var.region
  network             = module.network.network
  subnetwork          = module.network.subnetwork
  kms_key             = module.storage.kms_key
  database_users      = { gateway = module.workload_iam.emails["gateway"] }
  labels              = local.labels
  deletion_protection = var.deletion_protection
}

module "public_address" {
  source = "../../modules/public_address"

  project_id    = var.project_id
  name          = local.name
  domain        = var.domain
  caller_ranges = var.caller_ranges
  labels        = local.labels

  depends_on = [google_project_service.this]
}

module "monitoring" {
  source = "../../modules/monitoring"

  project_id = var.project_id
  name       = local.name
  cluster    = module.cluster.name
  emails     = var.emails
  labels     = local.labels
}

module "budget" {
  source = "../../modules/budget"
  count  = var.budget == null ? 0 : 1

  billing_account       = var.budget.billing_account
  project_id            = var.project_id
  name                  = local.name
  monthly_amount        = var.budget.monthly_amount
  notification_channels = module.monitoring.notification_channels

  depends_on = [google_project_service.this]
}
