variable "project_id" {
  description = "Project of the slice."
  type        = string
}

variable "name" {
  description = "Name of the slice."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,38}[a-z0-9]$", var.name))
    error_message = "name is \"${var.name}\". Accepted: 2 to 40 lower-case letters, digits and hyphens, beginning with a letter."
  }
}

variable "zone" {
  description = "Zone of the slice."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+-[a-z0-9]+$", var.zone))
    error_message = "zone is \"${var.zone}\", which is no zone. Accepted are names such as us-east5-a."
  }
}

variable "topology" {
  description = "The slice, as `tradewind plan --topology` writes it: v6e:2x4."
  type        = string

  validation {
    condition     = contains(keys(module.tpu_slices.slices), var.topology)
    error_message = "topology is \"${var.topology}\", which nobody lets. Accepted is GENERATION:TOPOLOGY of these: ${module.tpu_slices.accepted}."
  }
  validation {
    condition     = try(module.tpu_slices.slices[var.topology].vm_accelerator != null, true)
    error_message = "topology is \"${var.topology}\", but Google lets ${split(":", var.topology)[0]} to Kubernetes alone: use the module tpu_node_pool."
  }
}

variable "capacity" {
  description = "How the slice is paid for: on-demand; spot, cheap and taken away at any time; reservation, paid already."
  type        = string
  default     = "on-demand"

  validation {
    condition     = contains(["on-demand", "spot", "reservation"], var.capacity)
    error_message = "capacity is \"${var.capacity}\". Accepted: on-demand, spot, reservation. Slices that wait their turn (flex-start) are to be had as a tpu_node_pool."
  }
}

variable "subnetwork" {
  description = "Id of the subnet of the hosts."
  type        = string
}

variable "tags" {
  description = "Tags of the hosts, by which firewalls know them."
  type        = list(string)
}

variable "external_addresses" {
  description = "Whether each host has an address that the internet reaches. Without, one comes by Identity-Aware Proxy, as the output `tunnel` shows."
  type        = bool
  default     = false
}

variable "service_account" {
  description = "Email of the service account that the hosts run as. It reads the release and the model."
  type        = string
}

variable "release" {
  description = "Folder of a bucket that holds what is installed: uv, requirements.txt and tradewind-VERSION-py3-none-any.whl. Its name is the version."
  type        = string

  validation {
    condition     = can(regex("^gs://[a-z0-9][a-z0-9._-]+(/[A-Za-z0-9._-]+)*/[0-9]+\\.[0-9]+[A-Za-z0-9.]*$", var.release))
    error_message = "release is \"${var.release}\". Accepted is gs://BUCKET/FOLDER/VERSION, such as gs://my-project-releases/tradewind/0.1.0."
  }
}

variable "model" {
  description = "Model to serve: gs://BUCKET/PATH or a hub id; empty serves the small model that comes along."
  type        = string
  default     = ""
}

variable "settings" {
  description = "Further settings of Tradewind by their names, such as {\"engine.max_rows\" = \"32\"}; `tradewind config` lists them."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.settings) : can(regex("^[a-z_]+(\\.[a-z_]+)?$", name))])
    error_message = "settings has ${join(", ", [for name in keys(var.settings) : name if !can(regex("^[a-z_]+(\\.[a-z_]+)?$", name))])}. Accepted are names as `tradewind config` shows them, such as engine.max_rows."
  }
  validation {
    condition     = length(setintersection(keys(var.settings), ["model", "server.host", "server.port", "server.engine_address", "data_dir"])) == 0
    error_message = "settings has ${join(", ", setintersection(keys(var.settings), ["model", "server.host", "server.port", "server.engine_address", "data_dir"]))}, which the start-up script decides, or the variable model."
  }
}

variable "labels" {
  description = "Labels of the slice, as the bill shows them."
  type        = map(string)
  default     = {}
}
