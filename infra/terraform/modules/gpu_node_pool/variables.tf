variable "project_id" {
  description = "Project of the cluster."
  type        = string
}

variable "name" {
  description = "Name of the pool."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,38}[a-z0-9]$", var.name))
    error_message = "name is \"${var.name}\". Accepted: 2 to 40 lower-case letters, digits and hyphens, beginning with a letter."
  }
}

variable "cluster" {
  description = "Id of the cluster."
  type        = string
}

variable "zone" {
  description = "The one zone of the pool, where the model's bucket is near and the reservation lies."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+-[a-z0-9]+$", var.zone))
    error_message = "zone is \"${var.zone}\", which is no zone. Accepted are names such as us-east5-a."
  }
}

variable "gpus_per_node" {
  description = "H100s in each machine."
  type        = number
  default     = 1

  validation {
    condition     = contains([1, 2, 4, 8], var.gpus_per_node)
    error_message = "gpus_per_node is ${var.gpus_per_node}. H100s come 1, 2, 4 or 8 to a machine."
  }
}

variable "max_nodes" {
  description = "Most machines at once; there are none while no pod wants them."
  type        = number
  default     = 1

  validation {
    condition     = var.max_nodes >= 1 && floor(var.max_nodes) == var.max_nodes
    error_message = "max_nodes is ${var.max_nodes}. Accepted are whole numbers from 1 on."
  }
}

variable "capacity" {
  description = "How machines are paid for: spot, cheap and taken away at any time, or reservation, paid already."
  type        = string
  default     = "spot"

  validation {
    condition     = contains(["spot", "reservation"], var.capacity)
    error_message = "capacity is \"${var.capacity}\". Accepted for H100: spot, reservation."
  }
  validation {
    condition     = var.capacity != "reservation" || var.gpus_per_node == 8
    error_message = "Machines of ${var.gpus_per_node} H100 cannot be reserved, only those of 8. Accepted for fewer: spot."
  }
}

variable "reservation" {
  description = "Name of the reservation, where capacity is reservation."
  type        = string
  default     = null

  validation {
    condition     = (var.reservation != null) == (var.capacity == "reservation")
    error_message = var.reservation == null ? "capacity is reservation, but no reservation is named." : "reservation is \"${var.reservation}\", but capacity is ${var.capacity}, which uses none."
  }
}

variable "service_account" {
  description = "Email of the service account that nodes run as."
  type        = string
}

variable "kms_key" {
  description = "Id of the key for the nodes' disks."
  type        = string
}

variable "labels" {
  description = "Labels of the machines and disks, as the bill shows them."
  type        = map(string)
  default     = {}
}
