mock_provider "google" {
  mock_data "google_project" {
    defaults = { number = "123456789012" }
  }
}
mock_provider "google-beta" {
  mock_resource "google_tpu_v2_vm" {
    defaults = {
      network_endpoints = [{ ip_address = "10.0.0.2", port = 8470, access_config = [{ external_ip = "198.51.100.4" }] }]
    }
  }
}

variables {
  project_id = "my-project"
  zone       = "us-east5-a"
  release    = "gs://my-releases/tradewind/0.1.0"
}

run "an_address_for_the_caller" {
  variables {
    caller_ranges = ["203.0.113.7/32"]
    model         = "gs://my-models/llama"
    budget        = { billing_account = "012345-6789AB-CDEF01", monthly_amount = 500 }
  }

  assert {
    condition     = output.address == "http://198.51.100.4:8000" && output.chips == 1
    error_message = "One chip serves at an address."
  }
  assert {
    condition     = local.buckets == toset(["my-releases", "my-models"])
    error_message = "The slice reads the buckets of its release and its model."
  }
  assert {
    condition     = length(module.budget) == 1
    error_message = "The budget watches."
  }
}

run "without_callers_a_tunnel" {
  assert {
    condition     = output.address == "http://10.0.0.2:8000" && strcontains(output.tunnel, "--tunnel-through-iap")
    error_message = "Nobody on the internet reaches it."
  }
  assert {
    condition     = local.buckets == toset(["my-releases"]) && length(module.budget) == 0
    error_message = "The model that comes along needs no bucket."
  }
}

run "refuses_a_project_that_is_none" {
  command = plan

  variables {
    project_id = "My project"
  }

  expect_failures = [var.project_id]
}
