variable "project_id" {
  description = "Project that everything is made in."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "project_id is \"${var.project_id}\". Accepted is a project's id, such as my-project-42, not its name and not its number."
  }
}

variable "zone" {
  description = "Zone of the slice: one that lets its generation, such as us-east5-a for v6e."
  type        = string
}

variable "topology" {
  description = "The slice, as `tradewind plan --topology` writes it."
  type        = string
  default     = "v6e:1x1"
}

variable "capacity" {
  description = "on-demand, spot or reservation."
  type        = string
  default     = "on-demand"
}

variable "release" {
  description = "gs://BUCKET/FOLDER/VERSION with uv, requirements.txt and the wheel of Tradewind."
  type        = string
}

variable "model" {
  description = "Model to serve: gs://BUCKET/PATH or a hub id; empty serves the small model that comes along."
  type        = string
  default     = ""
}

variable "settings" {
  description = "Further settings of Tradewind, by the names that `tradewind config` shows."
  type        = map(string)
  default     = {}
}

variable "caller_ranges" {
  description = "Your own address, such as 203.0.113.7/32, which alone may call. Empty gives the slice no address on the internet; then the output `tunnel` leads there."
  type        = set(string)
  default     = []
}

variable "budget" {
  description = "What a month may cost, and who pays: mail is sent at half, at nine tenths and when it is to be exceeded."
  type        = object({ billing_account = string, monthly_amount = number })
  default     = null
}

variable "labels" {
  description = "Labels besides our own."
  type        = map(string)
  default     = {}
}
