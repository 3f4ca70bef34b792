mock_provider "google" {}
mock_provider "google-beta" {}

variables {
  project_id = "my-project"
  name       = "tradewind"
  region     = "us-east5"
  labels     = { app = "tradewind" }
}

run "keeps_what_is_precious" {
  assert {
    condition = alltrue([
      for bucket in google_storage_bucket.this : alltrue([
        bucket.versioning[0].enabled,
        bucket.uniform_bucket_level_access,
        bucket.public_access_prevention == "enforced",
        bucket.encryption[0].default_kms_key_name == google_kms_crypto_key.this.id,
        !bucket.force_destroy,
        bucket.labels["app"] == "tradewind",
      ])
    ])
    error_message = "Buckets are versioned, private, encrypted with our key, and refuse to go while they hold anything."
  }
  assert {
    condition     = output.checkpoints_bucket == "my-project-tradewind-checkpoints" && output.documents_bucket == "my-project-tradewind-documents"
    error_message = "Bucket names begin with the project's id, since they are the whole world's."
  }
  assert {
    condition     = google_artifact_registry_repository.images.docker_config[0].immutable_tags && google_artifact_registry_repository.images.kms_key_name == google_kms_crypto_key.this.id
    error_message = "An image's tag always means the same image."
  }
}

run "goes_without_a_trace_when_told" {
  command = plan

  variables {
    deletion_protection = false
  }

  assert {
    condition     = alltrue([for bucket in google_storage_bucket.this : bucket.force_destroy && bucket.soft_delete_policy[0].retention_duration_seconds == 0])
    error_message = "Buckets go with what they hold, and nothing of it is kept and billed."
  }
}

run "refuses_impossible_retention" {
  command = plan

  variables {
    noncurrent_versions = 0
    noncurrent_days     = 1.5
  }

  expect_failures = [var.noncurrent_versions, var.noncurrent_days]
}
