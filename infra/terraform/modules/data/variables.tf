variable "project_id" {
  description = "Project of the database and the cache."
  type        = string
}

variable "name" {
  description = "What names begin with."
  type        = string
}

variable "region" {
  description = "Region of both."
  type        = string
}

variable "network" {
  description = "Id of the network that reaches them; nothing else does."
  type        = string
}

variable "subnetwork" {
  description = "Id of the subnet that their addresses are taken from."
  type        = string
}

variable "kms_key" {
  description = "Id of the key that both are encrypted with."
  type        = string
}

variable "labels" {
  description = "Labels of everything that can carry them."
  type        = map(string)
  default     = {}
}

variable "database_tier" {
  description = "Machine of PostgreSQL, as db-custom-CPUS-MEGABYTES."
  type        = string
  default     = "db-custom-2-8192"

  validation {
    condition     = can(regex("^db-custom-[0-9]+-[0-9]+$", var.database_tier))
    error_message = "database_tier is \"${var.database_tier}\". Accepted is db-custom-CPUS-MEGABYTES, such as db-custom-2-8192."
  }
}

variable "database_users" {
  description = "Emails of the service accounts that may log in to the database, by a short name. There are no passwords."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for email in values(var.database_users) : can(regex("@.+\\.gserviceaccount\\.com$", email))])
    error_message = "database_users holds ${join(", ", [for email in values(var.database_users) : email if !can(regex("@.+\\.gserviceaccount\\.com$", email))])}. Accepted are emails of service accounts, NAME@PROJECT.iam.gserviceaccount.com."
  }
}

variable "cache_node_type" {
  description = "Size of a Valkey node."
  type        = string
  default     = "STANDARD_SMALL"

  validation {
    condition     = contains(["SHARED_CORE_NANO", "STANDARD_SMALL", "HIGHMEM_MEDIUM", "HIGHMEM_XLARGE"], var.cache_node_type)
    error_message = "cache_node_type is \"${var.cache_node_type}\". Accepted: SHARED_CORE_NANO (for trials), STANDARD_SMALL, HIGHMEM_MEDIUM, HIGHMEM_XLARGE."
  }
}

variable "high_availability" {
  description = "Whether both have a second copy in another zone, for about twice the money."
  type        = bool
  default     = true
}

variable "deletion_protection" {
  description = "Whether Google refuses to delete either."
  type        = bool
  default     = true
}
