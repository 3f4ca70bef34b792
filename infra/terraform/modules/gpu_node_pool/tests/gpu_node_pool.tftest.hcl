mock_provider "google" {}

variables {
  project_id      = "my-project"
  name            = "h100"
  cluster         = "projects/my-project/locations/us-east5/clusters/tradewind"
  zone            = "us-east5-a"
  service_account = "tradewind-node@my-project.iam.gserviceaccount.com"
  kms_key         = "projects/my-project/locations/us-east5/keyRings/tradewind/cryptoKeys/data"
}

run "costs_nothing_until_it_is_wanted" {
  command = plan

  assert {
    condition = alltrue([
      google_container_node_pool.this.initial_node_count == 0,
      google_container_node_pool.this.autoscaling[0].min_node_count == 0,
      google_container_node_pool.this.autoscaling[0].max_node_count == 1,
      google_container_node_pool.this.node_config[0].spot,
      google_container_node_pool.this.node_config[0].machine_type == "a3-highgpu-1g",
      google_container_node_pool.this.node_config[0].guest_accelerator[0].type == "nvidia-h100-80gb",
      google_container_node_pool.this.node_config[0].ephemeral_storage_local_ssd_config[0].local_ssd_count == 2,
    ])
    error_message = "One H100 at the price of spot, once a pod asks for it."
  }
}

run "reservation" {
  command = plan

  variables {
    capacity      = "reservation"
    reservation   = "paid-for"
    gpus_per_node = 8
    max_nodes     = 2
  }

  assert {
    condition     = google_container_node_pool.this.node_config[0].guest_accelerator[0].count == 8 && google_container_node_pool.this.node_config[0].reservation_affinity[0].values == toset(["paid-for"]) && !google_container_node_pool.this.node_config[0].spot
    error_message = "Eight H100s to a machine, from the reservation that is named."
  }
}

run "refuses_what_is_no_pool" {
  command = plan

  variables {
    name          = "The Pool"
    zone          = "us-east5"
    gpus_per_node = 3
    max_nodes     = 0
  }

  expect_failures = [var.name, var.zone, var.gpus_per_node, var.max_nodes]
}

run "refuses_on_demand" {
  command = plan

  variables {
    capacity = "on-demand"
  }

  expect_failures = [var.capacity]
}

run "refuses_to_reserve_a_single_gpu" {
  command = plan

  variables {
    capacity    = "reservation"
    reservation = "paid-for"
  }

  expect_failures = [var.capacity]
}

run "refuses_a_reservation_without_a_name" {
  command = plan

  variables {
    capacity      = "reservation"
    gpus_per_node = 8
  }

  expect_failures = [var.reservation]
}

run "refuses_a_name_without_a_reservation" {
  command = plan

  variables {
    reservation = "paid-for"
  }

  expect_failures = [var.reservation]
}
