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
  description = "The one zone that all hosts of the slice are in."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+-[a-z0-9]+$", var.zone))
    error_message = "zone is \"${var.zone}\", which is no zone. A slice lies in a single zone; accepted are names such as us-east5-a."
  }
}

variable "topology" {
  description = "The slice, as `tradewind plan --topology` writes it: v6e:4x4."
  type        = string

  validation {
    condition     = contains(keys(module.tpu_slices.slices), var.topology)
    error_message = "topology is \"${var.topology}\", which nobody lets. Accepted is GENERATION:TOPOLOGY of these: ${module.tpu_slices.accepted}."
  }
}

variable "capacity" {
  description = "How the slice is paid for: on-demand; spot, cheap and taken away at any time; reservation, paid already; flex-start, cheap, waits its turn and stays up to a week."
  type        = string
  default     = "on-demand"

  validation {
    condition     = contains(["on-demand", "spot", "reservation", "flex-start"], var.capacity)
    error_message = "capacity is \"${var.capacity}\". Accepted: on-demand, spot, reservation, flex-start."
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

variable "max_run_hours" {
  description = "For how many hours a flex-start slice runs at most, then its nodes go."
  type        = number
  default     = 168

  validation {
    condition     = var.max_run_hours >= 1 && var.max_run_hours <= 168
    error_message = "max_run_hours is ${var.max_run_hours}. Accepted are 1 to 168 hours, a week."
  }
}

variable "scale_to_zero" {
  description = "Whether the slice is there only while pods want it. Flex-start slices always behave so."
  type        = bool
  default     = false
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
