output "id" {
  description = "Id of the cluster, which node pools take. Whoever reads it waits for the gateways' pool."
  value       = google_container_cluster.this.id

  depends_on = [google_container_node_pool.gateway]
}

output "name" {
  description = "Name of the cluster."
  value       = google_container_cluster.this.name
}

output "endpoint" {
  description = "DNS name of the control plane, reached from anywhere by who has roles/container.developer or more."
  value       = google_container_cluster.this.control_plane_endpoints_config[0].dns_endpoint_config[0].endpoint
}

output "credentials" {
  description = "Command that gives kubectl access."
  value       = "gcloud container clusters get-credentials ${google_container_cluster.this.name} --region ${var.region} --project ${var.project_id} --dns-endpoint"
}

output "workload_pool" {
  description = "Workload Identity's pool; service accounts that Kubernetes accounts act as need it to exist."
  value       = google_container_cluster.this.workload_identity_config[0].workload_pool
}
