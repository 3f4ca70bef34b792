output "url" {
  description = "Where the service is to be reached, once the gateways run."
  value       = module.public_address.url
}

output "dns_records" {
  description = "Records that the domain needs."
  value       = module.public_address.dns_records
}

output "credentials" {
  description = "Command that gives kubectl access to the cluster."
  value       = module.cluster.credentials
}

output "registry" {
  description = "What the names of images begin with."
  value       = module.storage.registry
}

output "buckets" {
  description = "Where checkpoints and documents go."
  value       = { checkpoints = module.storage.checkpoints_bucket, documents = module.storage.documents_bucket }
}

output "service_accounts" {
  description = "Emails for the annotation iam.gke.io/gcp-service-account of the Kubernetes accounts gateway and engine, and of the metrics adapter's."
  value       = module.workload_iam.emails
}

output "slices" {
  description = "What pods need to run on each TPU pool: selector, hosts, and chips of each host."
  value = {
    for name, pool in module.tpu_node_pool : name => {
      node_selector  = pool.node_selector
      hosts          = pool.hosts
      chips_per_host = pool.chips_per_host
    }
  }
}

output "gpus" {
  description = "What pods select to run on the H100s; null where there are none."
  value       = one(module.gpu_node_pool[*].node_selector)
}

output "database" {
  description = "The database for the Cloud SQL proxy, and the name to log in with; null without data."
  value = one([for data in module.data : {
    instance = data.database_instance
    name     = data.database_name
    user     = data.database_users["gateway"]
  }])
}

output "cache" {
  description = "Address of the cache, and the certificates to trust; null without data."
  value       = one([for data in module.data : { address = data.cache_address, certificates = data.cache_certificates }])
}
