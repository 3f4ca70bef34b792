output "network" {
  description = "Id of the network."
  value       = google_compute_network.this.id
}

output "subnetwork" {
  description = "Id of the subnet of nodes and TPU VMs."
  value       = google_compute_subnetwork.nodes.id
}

output "pod_range_name" {
  description = "Name of the subnet's range for pods."
  value       = google_compute_subnetwork.nodes.secondary_ip_range[0].range_name
}

output "service_range_name" {
  description = "Name of the subnet's range for services."
  value       = google_compute_subnetwork.nodes.secondary_ip_range[1].range_name
}

output "slice_tag" {
  description = "Tag of machines that talk to each other freely and take administrators' SSH through Identity-Aware Proxy."
  value       = local.slice_tag
}

output "serving_tag" {
  description = "Tag of machines whose port 8000 is open to caller_ranges."
  value       = local.serving_tag
}
