mock_provider "google-beta" {
  mock_resource "google_tpu_v2_vm" {
    defaults = {
      network_endpoints = [{ ip_address = "10.0.0.2", port = 8470, access_config = [{ external_ip = "198.51.100.4" }] }]
    }
  }
}

variables {
  project_id      = "my-project"
  name            = "tradewind"
  zone            = "us-east5-a"
  topology        = "v6e:2x4"
  subnetwork      = "projects/my-project/regions/us-east5/subnetworks/tradewind-nodes"
  tags            = ["tradewind-slice", "tradewind-serving"]
  service_account = "tradewind-slice@my-project.iam.gserviceaccount.com"
  release         = "gs://my-project-releases/tradewind/0.1.0"
}

run "private_unless_told" {
  assert {
    condition = alltrue([
      google_tpu_v2_vm.this.accelerator_type == "v6e-8",
      google_tpu_v2_vm.this.runtime_version == "v2-alpha-tpuv6e",
      !google_tpu_v2_vm.this.network_config[0].enable_external_ips,
      google_tpu_v2_vm.this.service_account[0].email == var.service_account,
      google_tpu_v2_vm.this.shielded_instance_config[0].enable_secure_boot,
      output.hosts == 1,
      output.chips == 8,
    ])
    error_message = "One host of eight chips, with its own account and no public address."
  }
  assert {
    condition     = output.address == "http://10.0.0.2:8000" && strcontains(output.tunnel, "--tunnel-through-iap")
    error_message = "It is reached within the network, or by Identity-Aware Proxy."
  }
  assert {
    condition     = google_tpu_v2_vm.this.metadata["tradewind-release"] == var.release && google_tpu_v2_vm.this.metadata["startup-script"] == file("./startup.sh") && google_tpu_v2_vm.this.metadata["tradewind-environment"] == ""
    error_message = "The script and what it reads are in the metadata."
  }
}

run "public_when_told" {
  variables {
    external_addresses = true
    capacity           = "spot"
    model              = "gs://my-project-models/llama"
    settings           = { "engine.max_rows" = "32", log_level = "warning" }
  }

  assert {
    condition     = output.address == "http://198.51.100.4:8000" && google_tpu_v2_vm.this.scheduling_config[0].spot && !google_tpu_v2_vm.this.scheduling_config[0].reserved
    error_message = "Its address is on the internet, its price spot's."
  }
  assert {
    condition = toset(split("\n", google_tpu_v2_vm.this.metadata["tradewind-environment"])) == toset([
      "TRADEWIND_ENGINE__MAX_ROWS=32", "TRADEWIND_LOG_LEVEL=warning", "TRADEWIND_MODEL=gs://my-project-models/llama",
    ])
    error_message = "Settings become the environment's variables."
  }
}

run "several_hosts" {
  command = plan

  variables {
    topology = "v5p:2x2x4"
    capacity = "reservation"
  }

  assert {
    condition     = google_tpu_v2_vm.this.accelerator_type == "v5p-32" && output.hosts == 4 && output.chips == 16 && google_tpu_v2_vm.this.scheduling_config[0].reserved
    error_message = "Sixteen chips of v5p are 32 cores on four hosts."
  }
}

run "refuses_a_shape_that_nobody_lets" {
  command = plan

  variables {
    topology = "v6e:3x5"
  }

  expect_failures = [var.topology]
}

run "refuses_what_is_for_kubernetes_alone" {
  command = plan

  variables {
    topology = "tpu7x:2x2x1"
  }

  expect_failures = [var.topology]
}

run "refuses_what_is_no_slice" {
  command = plan

  variables {
    name     = "The Slice"
    zone     = "us-east5"
    capacity = "flex-start"
    release  = "/home/me/tradewind"
    settings = { "--max-rows" = "32" }
  }

  expect_failures = [var.name, var.zone, var.capacity, var.release, var.settings]
}

run "refuses_settings_that_the_script_decides" {
  command = plan

  variables {
    settings = { "server.port" = "80" }
  }

  expect_failures = [var.settings]
}
