variable "project_id" {
  description = "Project that the service accounts and what they may use are in."
  type        = string
}

variable "name" {
  description = "What the accounts' names begin with."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,15}[a-z0-9]$", var.name))
    error_message = "name is \"${var.name}\". Accepted: 2 to 17 lower-case letters, digits and hyphens, beginning with a letter, so that account names stay below 30."
  }
}

variable "workloads" {
  description = <<-EOT
    A service account for each, by a short name such as gateway.
    project_roles:      roles in the project, for what cannot be granted more narrowly.
    bucket_roles:       roles by bucket.
    repository_roles:   roles by Artifact Registry repository (its id, projects/P/locations/L/repositories/R).
    kubernetes_account: NAMESPACE/NAME of the Kubernetes service account that acts as this one.
  EOT
  type = map(object({
    project_roles      = optional(set(string), [])
    bucket_roles       = optional(map(string), {})
    repository_roles   = optional(map(string), {})
    kubernetes_account = optional(string)
  }))

  validation {
    condition     = alltrue([for workload in keys(var.workloads) : can(regex("^[a-z][a-z0-9-]{0,10}[a-z0-9]$", workload))])
    error_message = "workloads has ${join(", ", [for workload in keys(var.workloads) : workload if !can(regex("^[a-z][a-z0-9-]{0,10}[a-z0-9]$", workload))])}. Accepted names: 2 to 12 lower-case letters, digits and hyphens, beginning with a letter."
  }
  validation {
    condition = alltrue(flatten([
      for workload in var.workloads : [for role in workload.project_roles : !can(regex("^roles/(owner|editor|viewer)$|[aA]dmin$", role))]
    ]))
    error_message = "A workload asks for a role in the whole project that lets it do nearly anything: ${join(", ", flatten([for workload in var.workloads : [for role in workload.project_roles : role if can(regex("^roles/(owner|editor|viewer)$|[aA]dmin$", role))]]))}. Grant what it needs, on the bucket or repository where that is possible."
  }
  validation {
    condition     = alltrue([for workload in var.workloads : workload.kubernetes_account == null || can(regex("^[a-z0-9-]+/[a-z0-9-]+$", workload.kubernetes_account))])
    error_message = "kubernetes_account is ${join(", ", [for workload in var.workloads : workload.kubernetes_account if workload.kubernetes_account != null && !can(regex("^[a-z0-9-]+/[a-z0-9-]+$", workload.kubernetes_account))])}. Accepted is NAMESPACE/NAME, such as tradewind/gateway."
  }
}
