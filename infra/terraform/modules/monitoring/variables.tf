variable "project_id" {
  description = "Project whose managed Prometheus holds the metrics."
  type        = string
}

variable "name" {
  description = "What the names of dashboards and alerts begin with."
  type        = string
}

variable "cluster" {
  description = "Name of the cluster whose gateways are watched."
  type        = string
}

variable "emails" {
  description = "Who is written to when something is wrong."
  type        = set(string)

  validation {
    condition     = length(var.emails) > 0 && alltrue([for email in var.emails : can(regex("^[^@ ]+@[^@ ]+\\.[^@ ]+$", email))])
    error_message = "emails is ${jsonencode(var.emails)}. Accepted is at least one address such as oncall@example.com."
  }
}

variable "first_token_seconds" {
  description = "Alert when for 10 minutes 5 of 100 first tokens take longer than this."
  type        = number
  default     = 2

  validation {
    condition     = var.first_token_seconds > 0
    error_message = "first_token_seconds is ${var.first_token_seconds}. Accepted are seconds above 0."
  }
}

variable "error_share" {
  description = "Alert when for 5 minutes more than this share of replies end in an error."
  type        = number
  default     = 0.01

  validation {
    condition     = var.error_share > 0 && var.error_share < 1
    error_message = "error_share is ${var.error_share}. Accepted are shares between 0 and 1, such as 0.01 for one of a hundred."
  }
}

variable "waiting_requests" {
  description = "Alert when for 5 minutes more requests than this wait in a cell."
  type        = number
  default     = 16

  validation {
    condition     = var.waiting_requests >= 1
    error_message = "waiting_requests is ${var.waiting_requests}. Accepted are numbers from 1 on."
  }
}

variable "kv_cache_share" {
  description = "Alert when for 10 minutes more than this share of an engine's KV pages is in use."
  type        = number
  default     = 0.95

  validation {
    condition     = var.kv_cache_share > 0 && var.kv_cache_share < 1
    error_message = "kv_cache_share is ${var.kv_cache_share}. Accepted are shares between 0 and 1, such as 0.95."
  }
}

variable "labels" {
  description = "Labels of the alerts and channels."
  type        = map(string)
  default     = {}
}
