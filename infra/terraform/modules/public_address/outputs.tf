output "address" {
  description = "The address."
  value       = google_compute_global_address.this.address
}

output "url" {
  description = "Where the service is to be reached."
  value       = var.domain == "" ? "http://${google_compute_global_address.this.address}" : "https://${var.domain}"
}

output "dns_records" {
  description = "Records that the domain needs: its address, and proof to Google that it is yours."
  value = var.domain == "" ? [] : concat(
    [{ name = "${var.domain}.", type = "A", data = google_compute_global_address.this.address }],
    [for record in google_certificate_manager_dns_authorization.this[0].dns_resource_record : { name = record.name, type = record.type, data = record.data }],
  )
}
