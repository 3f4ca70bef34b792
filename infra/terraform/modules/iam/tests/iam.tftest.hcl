mock_provider "google" {
  mock_resource "google_service_account" {
    defaults = {
      member = "serviceAccount:tradewind-x@my-project.iam.gserviceaccount.com"
      name   = "projects/my-project/serviceAccounts/tradewind-x@my-project.iam.gserviceaccount.com"
    }
  }
}

variables {
  project_id = "my-project"
  name       = "tradewind"
  workloads = {
    gateway = {
      kubernetes_account = "tradewind/gateway"
      project_roles      = ["roles/cloudsql.client", "roles/cloudsql.instanceUser"]
      bucket_roles       = { documents = "roles/storage.objectUser" }
    }
    engine = {
      bucket_roles     = { checkpoints = "roles/storage.objectViewer" }
      repository_roles = { "projects/my-project/locations/us-east5/repositories/tradewind" = "roles/artifactregistry.reader" }
    }
  }
}

run "grants_each_its_own" {
  assert {
    condition     = toset([for account in google_service_account.workload : account.account_id]) == toset(["tradewind-gateway", "tradewind-engine"])
    error_message = "Each workload has an account."
  }
  assert {
    condition     = toset([for grant in google_project_iam_member.workload : grant.role]) == toset(["roles/cloudsql.client", "roles/cloudsql.instanceUser"])
    error_message = "In the project they get what was asked for, and no more."
  }
  assert {
    condition = {
      for key, grant in google_storage_bucket_iam_member.workload : key => "${grant.bucket} ${grant.role}"
      } == {
      "gateway documents"  = "documents roles/storage.objectUser"
      "engine checkpoints" = "checkpoints roles/storage.objectViewer"
    }
    error_message = "Each reaches its own bucket."
  }
  assert {
    condition     = keys(google_service_account_iam_member.kubernetes) == ["gateway"] && google_service_account_iam_member.kubernetes["gateway"].member == "serviceAccount:my-project.svc.id.goog[tradewind/gateway]"
    error_message = "The Kubernetes account that was named acts as the gateway's."
  }
}

run "refuses_names_that_are_none" {
  command = plan

  variables {
    name = "Tradewind_"
    workloads = {
      "The Gateway" = { kubernetes_account = "gateway" }
    }
  }

  expect_failures = [var.name, var.workloads]
}

run "refuses_the_keys_to_the_house" {
  command = plan

  variables {
    workloads = {
      gateway = { project_roles = ["roles/editor"] }
      engine  = { project_roles = ["roles/storage.admin"] }
    }
  }

  expect_failures = [var.workloads]
}

run "refuses_an_account_without_namespace" {
  command = plan

  variables {
    workloads = {
      gateway = { kubernetes_account = "gateway" }
    }
  }

  expect_failures = [var.workloads]
}
