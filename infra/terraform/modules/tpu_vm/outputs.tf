output "address" {
  description = "Where it serves, once the script has run: on the internet with external_addresses, else within the network."
  value = format("http://%s:8000", var.external_addresses
    ? google_tpu_v2_vm.this.network_endpoints[0].access_config[0].external_ip
    : google_tpu_v2_vm.this.network_endpoints[0].ip_address
  )
}

output "tunnel" {
  description = "Command that brings the service to http://127.0.0.1:8000, through Identity-Aware Proxy."
  value       = "gcloud compute tpus tpu-vm ssh ${var.name} --zone ${var.zone} --project ${var.project_id} --worker 0 --tunnel-through-iap -- -N -L 8000:localhost:8000"
}

output "hosts" {
  description = "Hosts of the slice."
  value       = local.slice.hosts
}

output "chips" {
  description = "Chips of the slice, which are what is paid for."
  value       = local.slice.chips
}

output "state" {
  description = "What Google says of the slice: CREATING, READY, PREEMPTED, ..."
  value       = google_tpu_v2_vm.this.state
}
