variable "name" {
  description = "Name of the network, and what the names of its parts begin with."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,38}[a-z0-9]$", var.name))
    error_message = "name is \"${var.name}\". Accepted: 2 to 40 lower-case letters, digits and hyphens, beginning with a letter."
  }
}

variable "region" {
  description = "Region of the subnet."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "region is \"${var.region}\", which is no region. Accepted are names such as us-east5 or europe-west4; a zone has one letter more."
  }
}

variable "node_range" {
  description = "Addresses of nodes and TPU VMs."
  type        = string
  default     = "10.0.0.0/20"

  validation {
    condition     = can(cidrnetmask(var.node_range))
    error_message = "node_range is \"${var.node_range}\". Accepted is an IPv4 range such as 10.0.0.0/20."
  }
}

variable "pod_range" {
  description = "Addresses of pods; GKE gives each node a /24 of it."
  type        = string
  default     = "10.16.0.0/14"

  validation {
    condition     = can(cidrnetmask(var.pod_range))
    error_message = "pod_range is \"${var.pod_range}\". Accepted is an IPv4 range such as 10.16.0.0/14."
  }
}

variable "service_range" {
  description = "Addresses of Kubernetes services."
  type        = string
  default     = "10.32.0.0/20"

  validation {
    condition     = can(cidrnetmask(var.service_range))
    error_message = "service_range is \"${var.service_range}\". Accepted is an IPv4 range such as 10.32.0.0/20."
  }
}

variable "caller_ranges" {
  description = "Who may reach port 8000 of machines that carry the serving tag, from outside of the network; empty lets nobody in."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for range in var.caller_ranges : can(cidrnetmask(range))])
    error_message = "caller_ranges holds ${join(", ", [for range in var.caller_ranges : range if !can(cidrnetmask(range))])}. Accepted are IPv4 ranges such as 203.0.113.7/32, the address that your own machine shows to the world."
  }
  validation {
    condition     = alltrue([for range in var.caller_ranges : try(tonumber(split("/", range)[1]) >= 8, true)])
    error_message = "caller_ranges would open the port to ${join(", ", [for range in var.caller_ranges : range if try(tonumber(split("/", range)[1]) < 8, false)])}, most or all of the internet. What serves there asks nobody for a key. Accepted are ranges of /8 and narrower."
  }
}
