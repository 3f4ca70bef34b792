mock_provider "google" {
  mock_resource "google_compute_global_address" {
    defaults = { address = "198.51.100.4" }
  }
  mock_resource "google_certificate_manager_dns_authorization" {
    defaults = { dns_resource_record = [{ name = "_acme-challenge.chat.example.com.", type = "CNAME", data = "x.authorize.certificatemanager.goog." }] }
  }
}

variables {
  project_id    = "my-project"
  name          = "tradewind"
  caller_ranges = ["203.0.113.0/24"]
}

run "lets_in_whom_it_was_told" {
  assert {
    condition = toset([
      for rule in google_compute_security_policy.this.rule : "${rule.priority} ${rule.action} ${join(" ", one(rule.match).config[0].src_ip_ranges)}"
    ]) == toset(["1000 throttle 203.0.113.0/24", "2147483647 deny(403) *"])
    error_message = "Callers come in at a bounded rate, nobody else does."
  }
  assert {
    condition     = output.url == "http://198.51.100.4" && length(output.dns_records) == 0
    error_message = "Without a domain it is the bare address."
  }
}

run "has_a_certificate_for_its_domain" {
  variables {
    domain = "chat.example.com"
  }

  assert {
    condition     = output.url == "https://chat.example.com" && google_certificate_manager_certificate.this[0].managed[0].domains == tolist(["chat.example.com"])
    error_message = "The domain has a certificate that Google renews."
  }
  assert {
    condition = [for record in output.dns_records : "${record.type} ${record.name} ${record.data}"] == [
      "A chat.example.com. 198.51.100.4",
      "CNAME _acme-challenge.chat.example.com. x.authorize.certificatemanager.goog.",
    ]
    error_message = "It says which records the domain needs."
  }
}

run "refuses_what_is_no_address" {
  command = plan

  variables {
    domain              = "https://chat.example.com/"
    caller_ranges       = ["everybody"]
    requests_per_minute = 0
  }

  expect_failures = [var.domain, var.caller_ranges, var.requests_per_minute]
}
