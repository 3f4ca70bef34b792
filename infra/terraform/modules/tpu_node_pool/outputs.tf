output "name" {
  description = "Name of the pool."
  value       = google_container_node_pool.this.name
}

output "hosts" {
  description = "Hosts of the slice: the size of a LeaderWorkerSet's groups, or 1."
  value       = local.slice.hosts
}

output "chips_per_host" {
  description = "Chips of each host: what a pod requests as google.com/tpu."
  value       = local.slice.chips_per_host
}

output "node_selector" {
  description = "What pods select to run on this slice."
  value = {
    "cloud.google.com/gke-nodepool"        = google_container_node_pool.this.name
    "cloud.google.com/gke-tpu-accelerator" = local.slice.gke_accelerator
    "cloud.google.com/gke-tpu-topology"    = local.slice.topology
  }
}
