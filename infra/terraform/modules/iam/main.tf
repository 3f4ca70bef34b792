locals {
  project_grants = merge([
    for workload, wants in var.workloads : {
      for role in wants.project_roles : "${workload} ${role}" => { workload = workload, role = role }
    }
  ]...)
  bucket_grants = merge([
    for workload, wants in var.workloads : {
      for bucket, role in wants.bucket_roles : "${workload} ${bucket}" => { workload = workload, bucket = bucket, role = role }
    }
  ]...)
  repository_grants = merge([
    for workload, wants in var.workloads : {
      for repository, role in wants.repository_roles : "${workload} ${repository}" => { workload = workload, repository = repository, role = role }
    }
  ]...)
}

resource "google_service_account" "workload" {
  for_each = var.workloads

  project      = var.project_id
  account_id   = "${var.name}-${each.key}"
  display_name = "Tradewind ${each.key}"
}

resource "google_project_iam_member" "workload" {
  for_each = local.project_grants

  project = var.project_id
  role    = each.value.role
  member  = google_service_account.workload[each.value.workload].member
}

resource "google_storage_bucket_iam_member" "workload" {
  for_each = local.bucket_grants

  bucket = each.value.bucket
  role   = each.value.role
  member = google_service_account.workload[each.value.workload].member
}

resource "google_artifact_registry_repository_iam_member" "workload" {
  for_each = local.repository_grants

  repository = each.value.repository
  role       = each.value.role
  member     = google_service_account.workload[each.value.workload].member
}

# A pod of the Kubernetes account gets tokens of the workload's; no key ever exists.
resource "google_service_account_iam_member" "kubernetes" {
  for_each = { for workload, wants in var.workloads : workload => wants.kubernetes_account if wants.kubernetes_account != null }

  service_account_id = google_service_account.workload[each.key].name
  role               = "roles/iam.workloadIdentityUser"
  member             = "serviceAccount:${var.project_id}.svc.id.goog[${each.value}]"
}
