variable "project_id" {
  description = "Project of the cluster."
  type        = string
}

variable "name" {
  description = "Name of the cluster."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,38}[a-z0-9]$", var.name))
    error_message = "name is \"${var.name}\". Accepted: 2 to 40 lower-case letters, digits and hyphens, beginning with a letter."
  }
}

variable "region" {
  description = "Region of the control plane and the gateways, spread over its zones."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "region is \"${var.region}\", which is no region. The cluster is regional; accepted are names such as us-east5."
  }
}

variable "network" {
  description = "Id of the network."
  type        = string
}

variable "subnetwork" {
  description = "Id of the nodes' subnet."
  type        = string
}

variable "pod_range_name" {
  description = "Name of the subnet's range for pods."
  type        = string
}

variable "service_range_name" {
  description = "Name of the subnet's range for services."
  type        = string
}

variable "node_service_account" {
  description = "Email of the service account that nodes run as. Workloads have their own."
  type        = string
}

variable "kms_key" {
  description = "Id of the key for Kubernetes secrets and the nodes' disks."
  type        = string
}

variable "release_channel" {
  description = "How soon GKE's versions arrive. TPU7x needs 1.34, which all channels have by now."
  type        = string
  default     = "REGULAR"

  validation {
    condition     = contains(["RAPID", "REGULAR", "STABLE"], var.release_channel)
    error_message = "release_channel is \"${var.release_channel}\". Accepted: RAPID, REGULAR, STABLE."
  }
}

variable "gateway_machine_type" {
  description = "Machine of the nodes for gateways and everything else that needs no accelerator."
  type        = string
  default     = "e2-standard-4"
}

variable "gateway_nodes" {
  description = "Fewest and most of these nodes in each zone of the region."
  type        = object({ min = number, max = number })
  default     = { min = 1, max = 4 }

  validation {
    condition     = var.gateway_nodes.min >= 1 && var.gateway_nodes.max >= var.gateway_nodes.min
    error_message = "gateway_nodes is ${var.gateway_nodes.min} to ${var.gateway_nodes.max}. Accepted is at least 1, and a maximum that is no smaller than the minimum."
  }
}

variable "maintenance_window" {
  description = "When GKE may replace nodes, in UTC: days as in BYDAY=SA,SU, and from when until when."
  type        = object({ days = string, start = string, end = string })
  default     = { days = "SA,SU", start = "02:00", end = "08:00" }

  validation {
    condition     = can(regex("^(MO|TU|WE|TH|FR|SA|SU)(,(MO|TU|WE|TH|FR|SA|SU))*$", var.maintenance_window.days))
    error_message = "maintenance_window.days is \"${var.maintenance_window.days}\". Accepted are MO, TU, WE, TH, FR, SA and SU, joined by commas."
  }
}

variable "labels" {
  description = "Labels of everything that can carry them."
  type        = map(string)
  default     = {}
}

variable "deletion_protection" {
  description = "Whether Terraform refuses to destroy the cluster."
  type        = bool
  default     = true
}
