output "emails" {
  description = "Email of each workload's service account. Whoever reads it waits for the grants as well."
  value       = { for workload, account in google_service_account.workload : workload => account.email }

  depends_on = [
    google_project_iam_member.workload,
    google_storage_bucket_iam_member.workload,
    google_artifact_registry_repository_iam_member.workload,
  ]
}
