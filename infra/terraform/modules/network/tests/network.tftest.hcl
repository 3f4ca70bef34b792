mock_provider "google" {}

variables {
  name   = "tradewind"
  region = "us-east5"
}

run "lets_nobody_in_by_itself" {
  command = plan

  assert {
    condition     = length(google_compute_firewall.callers) == 0
    error_message = "Without caller_ranges there is no rule for callers."
  }
  assert {
    condition     = google_compute_firewall.iap.source_ranges == toset(["35.235.240.0/20"]) && one(google_compute_firewall.iap.allow).ports == tolist(["22"])
    error_message = "SSH comes from Identity-Aware Proxy alone."
  }
  assert {
    condition     = google_compute_firewall.slice.source_tags == google_compute_firewall.slice.target_tags && google_compute_firewall.slice.source_ranges == null
    error_message = "The hosts of a slice hear each other, and nobody else."
  }
  assert {
    condition     = google_compute_subnetwork.nodes.private_ip_google_access
    error_message = "Machines without addresses reach Google's APIs."
  }
}

run "opens_the_port_to_callers" {
  command = plan

  variables {
    caller_ranges = ["203.0.113.7/32"]
  }

  assert {
    condition     = google_compute_firewall.callers[0].source_ranges == toset(["203.0.113.7/32"]) && one(google_compute_firewall.callers[0].allow).ports == tolist(["8000"])
    error_message = "Callers reach port 8000 from their own range."
  }
  assert {
    condition     = google_compute_firewall.callers[0].target_tags == toset([output.serving_tag])
    error_message = "The rule is for machines that serve."
  }
}

run "refuses_what_is_no_network" {
  command = plan

  variables {
    name          = "Trade wind"
    region        = "us-east5-a"
    node_range    = "10.0.0.0"
    pod_range     = "pods"
    service_range = "300.0.0.0/20"
    caller_ranges = ["me"]
  }

  expect_failures = [var.name, var.region, var.node_range, var.pod_range, var.service_range, var.caller_ranges]
}

run "refuses_the_whole_internet" {
  command = plan

  variables {
    caller_ranges = ["203.0.113.7/32", "0.0.0.0/0"]
  }

  expect_failures = [var.caller_ranges]
}
