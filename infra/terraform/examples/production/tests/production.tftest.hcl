mock_provider "google" {
  mock_data "google_project" {
    defaults = { number = "123456789012" }
  }
  mock_resource "google_service_account" {
    defaults = { email = "tradewind-x@my-project.iam.gserviceaccount.com" }
  }
  mock_resource "google_memorystore_instance" {
    defaults = {
      endpoints = [{
        connections = [{
          psc_auto_connection = [{ connection_type = "CONNECTION_TYPE_PRIMARY", ip_address = "10.0.0.9", port = 6379, forwarding_rule = "", network = "", project_id = "", psc_connection_id = "", service_attachment = "" }]
        }]
      }]
    }
  }
  mock_resource "google_artifact_registry_repository" {
    defaults = { registry_uri = "us-east5-docker.pkg.dev/my-project/tradewind" }
  }
}
mock_provider "google-beta" {}

variables {
  project_id    = "my-project"
  region        = "us-east5"
  caller_ranges = ["203.0.113.0/24"]
  emails        = ["oncall@example.com"]
  domain        = "chat.example.com"
  budget        = { billing_account = "012345-6789AB-CDEF01", monthly_amount = 20000 }
  gpu_pool      = { zone = "us-east5-a" }
  tpu_pools = {
    chat  = { topology = "v6e:2x4", zone = "us-east5-a" }
    large = { topology = "v5p:2x2x4", zone = "us-east5-a", capacity = "spot", scale_to_zero = true }
  }
}

run "two_kinds_of_slices_and_a_fallback" {
  assert {
    condition = alltrue([
      output.slices["chat"].hosts == 1,
      output.slices["chat"].chips_per_host == 8,
      output.slices["large"].hosts == 4,
      output.slices["large"].node_selector["cloud.google.com/gke-tpu-accelerator"] == "tpu-v5p-slice",
      output.gpus["cloud.google.com/gke-accelerator"] == "nvidia-h100-80gb",
    ])
    error_message = "A slice of one host, a slice of four, and H100s."
  }
  assert {
    condition     = output.url == "https://chat.example.com" && output.cache.address == "10.0.0.9:6379" && output.registry == "us-east5-docker.pkg.dev/my-project/tradewind"
    error_message = "What the manifests need is said."
  }
  assert {
    condition     = keys(output.service_accounts) == ["engine", "gateway", "metrics"]
    error_message = "Gateway, engine and the metrics adapter have an account each."
  }
}

run "without_what_is_not_wanted" {
  variables {
    gpu_pool = null
    data     = false
    budget   = null
    domain   = ""
  }

  assert {
    condition     = output.gpus == null && output.database == null && length(module.budget) == 0 && startswith(output.url, "http://")
    error_message = "What is not wanted is not made."
  }
}

run "refuses_a_slice_elsewhere" {
  command = plan

  variables {
    project_id = "My project"
    tpu_pools  = { chat = { topology = "v6e:2x4", zone = "us-central1-a" } }
  }

  expect_failures = [var.project_id, var.tpu_pools]
}

# What it makes is looked at, resource by resource, by tests/infra/terraform/test_production.py.
run "may_be_destroyed" {
  variables {
    deletion_protection = false
  }
}
