output "checkpoints_bucket" {
  description = "Bucket of models and their checkpoints."
  value       = google_storage_bucket.this["checkpoints"].name
}

output "documents_bucket" {
  description = "Bucket of the documents that retrieval searches."
  value       = google_storage_bucket.this["documents"].name
}

output "repository" {
  description = "Id of the repository of images; known before it is made."
  value = format("projects/%s/locations/%s/repositories/%s",
    google_artifact_registry_repository.images.project,
    google_artifact_registry_repository.images.location,
    google_artifact_registry_repository.images.repository_id,
  )
}

output "registry" {
  description = "What the names of images begin with, LOCATION-docker.pkg.dev/PROJECT/NAME."
  value       = google_artifact_registry_repository.images.registry_uri
}

output "kms_key" {
  description = "Id of the key that all data is encrypted with. Whoever reads it waits for the storage's own grants."
  value       = google_kms_crypto_key.this.id

  depends_on = [google_kms_crypto_key_iam_member.user]
}
