mock_provider "google" {}

variables {
  project_id = "my-project"
  name       = "tradewind"
  cluster    = "tradewind"
  emails     = ["oncall@example.com"]
}

run "watches_what_users_feel" {
  assert {
    condition = alltrue([
      endswith(output.queries["first_token"], "> 2"),
      endswith(output.queries["errors"], "> 0.01"),
      endswith(output.queries["waiting"], "> 16"),
      endswith(output.queries["kv_cache"], "> 0.95"),
    ])
    error_message = "There is an alert on first tokens, errors, requests that wait, and KV pages."
  }
  assert {
    condition     = alltrue([for query in output.queries : strcontains(query, "cluster=\"tradewind\"")])
    error_message = "Other clusters of the project stay out of it."
  }
  assert {
    condition     = alltrue([for alert in google_monitoring_alert_policy.this : toset(alert.notification_channels) == toset(output.notification_channels)])
    error_message = "Who is on call hears of all."
  }
  assert {
    condition     = length(jsondecode(output.dashboard).mosaicLayout.tiles) == 8
    error_message = "The dashboard has eight charts."
  }
  assert {
    condition     = length(distinct([for tile in jsondecode(output.dashboard).mosaicLayout.tiles : "${tile.xPos} ${tile.yPos}"])) == 8
    error_message = "No chart covers another."
  }
}

run "thresholds_are_yours" {
  variables {
    first_token_seconds = 0.5
    waiting_requests    = 8
  }

  assert {
    condition     = endswith(output.queries["first_token"], "> 0.5") && endswith(output.queries["waiting"], "> 8")
    error_message = "The alerts use the thresholds that were given."
  }
}

run "refuses_thresholds_that_never_or_always_ring" {
  command = plan

  variables {
    emails              = []
    first_token_seconds = 0
    error_share         = 2
    waiting_requests    = 0
    kv_cache_share      = 95
  }

  expect_failures = [var.emails, var.first_token_seconds, var.error_share, var.waiting_requests, var.kv_cache_share]
}
