mock_provider "google" {}

variables {
  project_id      = "my-project"
  name            = "slice"
  cluster         = "projects/my-project/locations/us-east5/clusters/tradewind"
  zone            = "us-east5-a"
  topology        = "v6e:4x4"
  service_account = "tradewind-node@my-project.iam.gserviceaccount.com"
  kms_key         = "projects/my-project/locations/us-east5/keyRings/tradewind/cryptoKeys/data"
}

run "several_hosts_are_placed_together" {
  command = plan

  assert {
    condition = alltrue([
      google_container_node_pool.this.node_count == 4,
      google_container_node_pool.this.node_locations == toset(["us-east5-a"]),
      google_container_node_pool.this.node_config[0].machine_type == "ct6e-standard-4t",
      google_container_node_pool.this.node_config[0].disk_type == "hyperdisk-balanced",
      google_container_node_pool.this.placement_policy[0].type == "COMPACT",
      google_container_node_pool.this.placement_policy[0].tpu_topology == "4x4",
      google_container_node_pool.this.placement_policy[0].policy_name == null,
      google_container_node_pool.this.network_config[0].enable_private_nodes,
    ])
    error_message = "v6e:4x4 is enough: four machines of four chips in one zone, compactly placed."
  }
  assert {
    condition     = length(google_container_node_pool.this.autoscaling) == 0 && google_container_node_pool.this.management[0].auto_repair
    error_message = "A slice that is paid for by the hour is there."
  }
  assert {
    condition     = output.hosts == 4 && output.chips_per_host == 4 && output.node_selector["cloud.google.com/gke-tpu-accelerator"] == "tpu-v6e-slice" && output.node_selector["cloud.google.com/gke-tpu-topology"] == "4x4"
    error_message = "Pods learn how to select the slice."
  }
}

run "one_host_needs_no_placement" {
  command = plan

  variables {
    topology = "v5e:2x4"
  }

  assert {
    condition     = google_container_node_pool.this.node_count == 1 && google_container_node_pool.this.node_config[0].machine_type == "ct5lp-hightpu-8t" && length(google_container_node_pool.this.placement_policy) == 0
    error_message = "One machine of eight chips."
  }
}

run "tpu7x_is_placed_by_a_policy" {
  command = plan

  variables {
    topology = "tpu7x:2x4x4"
  }

  assert {
    condition     = google_compute_resource_policy.this[0].workload_policy[0].accelerator_topology == "2x4x4" && google_compute_resource_policy.this[0].region == "us-east5" && google_container_node_pool.this.placement_policy[0].policy_name == "slice"
    error_message = "The hosts of a TPU7x slice are placed by a workload policy."
  }
}

run "tpu7x_of_one_host_needs_none" {
  command = plan

  variables {
    topology = "tpu7x:2x2x1"
  }

  assert {
    condition     = length(google_compute_resource_policy.this) == 0 && length(google_container_node_pool.this.placement_policy) == 0
    error_message = "A single host needs no placement."
  }
}

run "spot" {
  command = plan

  variables {
    capacity      = "spot"
    scale_to_zero = true
  }

  assert {
    condition = alltrue([
      google_container_node_pool.this.node_config[0].spot,
      google_container_node_pool.this.initial_node_count == 0,
      google_container_node_pool.this.autoscaling[0].min_node_count == 0,
      google_container_node_pool.this.autoscaling[0].max_node_count == 4,
      google_container_node_pool.this.node_config[0].reservation_affinity[0].consume_reservation_type == "NO_RESERVATION",
    ])
    error_message = "All four hosts or none, at the price of spot."
  }
}

run "reservation" {
  command = plan

  variables {
    capacity    = "reservation"
    reservation = "paid-for"
  }

  assert {
    condition = alltrue([
      google_container_node_pool.this.node_config[0].reservation_affinity[0].consume_reservation_type == "SPECIFIC_RESERVATION",
      google_container_node_pool.this.node_config[0].reservation_affinity[0].key == "compute.googleapis.com/reservation-name",
      google_container_node_pool.this.node_config[0].reservation_affinity[0].values == toset(["paid-for"]),
      !google_container_node_pool.this.node_config[0].spot,
    ])
    error_message = "The reservation that is named is used."
  }
}

run "flex_start" {
  command = plan

  variables {
    capacity      = "flex-start"
    max_run_hours = 24
  }

  assert {
    condition = alltrue([
      google_container_node_pool.this.node_config[0].flex_start,
      google_container_node_pool.this.node_config[0].max_run_duration == "86400s",
      google_container_node_pool.this.initial_node_count == 0,
      google_container_node_pool.this.autoscaling[0].max_node_count == 4,
      !google_container_node_pool.this.management[0].auto_repair,
      google_container_node_pool.this.node_config[0].reservation_affinity[0].consume_reservation_type == "NO_RESERVATION",
    ])
    error_message = "Flex-start begins with no hosts, takes all at once, and forbids repair and reservations."
  }
}

run "refuses_a_shape_that_nobody_lets" {
  command = plan

  variables {
    topology = "v6e:3x5"
  }

  expect_failures = [var.topology]
}

run "refuses_what_is_no_pool" {
  command = plan

  variables {
    name          = "The Pool"
    zone          = "us-east5"
    capacity      = "free"
    max_run_hours = 200
  }

  expect_failures = [var.name, var.zone, var.capacity, var.max_run_hours]
}

run "refuses_a_reservation_without_a_name" {
  command = plan

  variables {
    capacity = "reservation"
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
