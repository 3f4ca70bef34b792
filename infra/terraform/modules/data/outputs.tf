output "database_instance" {
  description = "Connection name of the database, as the Cloud SQL proxy takes it."
  value       = google_sql_database_instance.this.connection_name
}

output "database_address" {
  description = "Address of the database within the network."
  value       = local.database_address
}

output "database_name" {
  description = "Name of the database within the instance."
  value       = google_sql_database.this.name
}

output "database_users" {
  description = "Names to log in with, by the short names that were given."
  value       = { for name, user in google_sql_user.this : name => user.name }
}

output "cache_address" {
  description = "HOST:PORT of the cache's primary node within the network. It speaks TLS and wants IAM tokens."
  value = one([
    for connection in local.cache_connections : "${connection.ip_address}:${connection.port}"
    if connection.connection_type == "CONNECTION_TYPE_PRIMARY"
  ])
}

output "cache_certificates" {
  description = "Certificates of the authority that signed the cache's, in PEM."
  value       = flatten([for ca in google_memorystore_instance.this.managed_server_ca : [for cas in ca.ca_certs : cas.certificates]])
}
