variable "project_id" {
  description = "Project of the address."
  type        = string
}

variable "name" {
  description = "Name of the address, the policy and the certificate, by which Kubernetes' Gateway finds them."
  type        = string
}

variable "domain" {
  description = "Domain whose certificate is used; empty for none, and so for plain HTTP."
  type        = string
  default     = ""

  validation {
    condition     = var.domain == "" || can(regex("^([a-z0-9]([a-z0-9-]*[a-z0-9])?\\.)+[a-z]{2,}$", var.domain))
    error_message = "domain is \"${var.domain}\". Accepted is a name such as chat.example.com, without https:// and without a path."
  }
}

variable "caller_ranges" {
  description = "Who may call, as IPv4 ranges; 0.0.0.0/0 lets everybody in. At most 10, as Cloud Armor has it."
  type        = set(string)

  validation {
    condition     = length(var.caller_ranges) >= 1 && length(var.caller_ranges) <= 10 && alltrue([for range in var.caller_ranges : can(cidrnetmask(range))])
    error_message = "caller_ranges is ${jsonencode(var.caller_ranges)}. Accepted are 1 to 10 IPv4 ranges such as 203.0.113.0/24."
  }
}

variable "requests_per_minute" {
  description = "Requests that one address may make in a minute; more are answered with 429."
  type        = number
  default     = 600

  validation {
    condition     = var.requests_per_minute >= 1 && floor(var.requests_per_minute) == var.requests_per_minute
    error_message = "requests_per_minute is ${var.requests_per_minute}. Accepted are whole numbers from 1 on."
  }
}

variable "labels" {
  description = "Labels of everything that can carry them."
  type        = map(string)
  default     = {}
}
