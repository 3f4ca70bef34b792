output "name" {
  description = "Name of the pool."
  value       = google_container_node_pool.this.name
}

output "node_selector" {
  description = "What pods select to run on these machines."
  value = {
    "cloud.google.com/gke-nodepool"    = google_container_node_pool.this.name
    "cloud.google.com/gke-accelerator" = "nvidia-h100-80gb"
  }
}
