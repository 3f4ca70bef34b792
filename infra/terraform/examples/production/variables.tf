variable "project_id" {
  description = "Project that everything is made in."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "project_id is \"${var.project_id}\". Accepted is a project's id, such as my-project-42, not its name and not its number."
  }
}

variable "region" {
  description = "Region of everything, such as us-east5, whose zones let v5p, v6e and H100."
  type        = string
}

variable "tpu_pools" {
  description = "TPU slices by the name of their node pool, each as the module tpu_node_pool takes it. Take zones of the region."
  type = map(object({
    topology      = string
    zone          = string
    capacity      = optional(string, "on-demand")
    reservation   = optional(string)
    scale_to_zero = optional(bool, false)
  }))

  validation {
    condition     = alltrue([for pool in var.tpu_pools : startswith(pool.zone, "${var.region}-")])
    error_message = "tpu_pools has zones outside of ${var.region}: ${join(", ", [for pool in var.tpu_pools : pool.zone if !startswith(pool.zone, "${var.region}-")])}."
  }
}

variable "gpu_pool" {
  description = "H100s to fall back on when no slice is to be had; null for none."
  type = object({
    zone          = string
    gpus_per_node = optional(number, 1)
    max_nodes     = optional(number, 1)
    capacity      = optional(string, "spot")
    reservation   = optional(string)
  })
  default = null
}

variable "data" {
  description = "Whether there are PostgreSQL and Valkey, which are paid for by the hour."
  type        = bool
  default     = true
}

variable "caller_ranges" {
  description = "Who may call, as IPv4 ranges; 0.0.0.0/0 lets everybody in."
  type        = set(string)
}

variable "domain" {
  description = "Domain of the service, such as chat.example.com; empty for plain HTTP at the address."
  type        = string
  default     = ""
}

variable "emails" {
  description = "Who is written to when something is wrong."
  type        = set(string)
}

variable "budget" {
  description = "What a month may cost, and who pays; null for no alert."
  type        = object({ billing_account = string, monthly_amount = number })
  default     = null
}

variable "kubernetes_namespace" {
  description = "Namespace of gateways and engines, whose service accounts are called gateway and engine."
  type        = string
  default     = "tradewind"
}

variable "deletion_protection" {
  description = "Whether cluster, database, cache and filled buckets refuse to be destroyed. Apply with false before you destroy."
  type        = bool
  default     = true
}

variable "labels" {
  description = "Labels besides our own."
  type        = map(string)
  default     = {}
}
