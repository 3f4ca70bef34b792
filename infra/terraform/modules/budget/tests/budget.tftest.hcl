mock_provider "google" {
  mock_data "google_project" {
    defaults = { number = "123456789012" }
  }
}

variables {
  billing_account = "012345-6789AB-CDEF01"
  project_id      = "my-project"
  name            = "tradewind"
  monthly_amount  = 500
}

run "tells_before_and_when" {
  command = plan

  assert {
    condition     = google_billing_budget.this.amount[0].specified_amount[0].units == "500" && google_billing_budget.this.budget_filter[0].projects == toset(["projects/123456789012"])
    error_message = "The project's month is watched."
  }
  assert {
    condition     = [for rule in google_billing_budget.this.threshold_rules : rule.threshold_percent if rule.spend_basis == null] == [0.5, 0.9, 1]
    error_message = "Mail is sent at half, at nine tenths and at all of it."
  }
  assert {
    condition     = length([for rule in google_billing_budget.this.threshold_rules : rule if rule.spend_basis == "FORECASTED_SPEND"]) == 1
    error_message = "Mail is sent when it is to be exceeded."
  }
}

run "refuses_what_is_no_budget" {
  command = plan

  variables {
    billing_account       = "mine"
    monthly_amount        = 0.5
    thresholds            = [50]
    notification_channels = ["1", "2", "3", "4", "5", "6"]
  }

  expect_failures = [var.billing_account, var.monthly_amount, var.thresholds, var.notification_channels]
}
