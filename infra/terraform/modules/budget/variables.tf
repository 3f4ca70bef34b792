variable "billing_account" {
  description = "Id of the billing account that pays for the project."
  type        = string

  validation {
    condition     = can(regex("^[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}$", var.billing_account))
    error_message = "billing_account is \"${var.billing_account}\". Accepted is an id such as 012345-6789AB-CDEF01; `gcloud billing accounts list` shows yours."
  }
}

variable "project_id" {
  description = "Project that is watched."
  type        = string
}

variable "name" {
  description = "Name of the budget."
  type        = string
}

variable "monthly_amount" {
  description = "What a month may cost, in whole units of the billing account's currency."
  type        = number

  validation {
    condition     = var.monthly_amount >= 1 && floor(var.monthly_amount) == var.monthly_amount
    error_message = "monthly_amount is ${var.monthly_amount}. Accepted are whole numbers from 1 on."
  }
}

variable "thresholds" {
  description = "Shares of the amount at which mail is sent."
  type        = set(number)
  default     = [0.5, 0.9, 1]

  validation {
    condition     = length(var.thresholds) > 0 && alltrue([for share in var.thresholds : share > 0 && share <= 2])
    error_message = "thresholds is ${jsonencode(var.thresholds)}. Accepted are shares above 0 and up to 2, such as 0.5 for half of the amount; at least one."
  }
}

variable "notification_channels" {
  description = "Ids of monitoring channels that hear of it, besides the billing account's administrators."
  type        = list(string)
  default     = []

  validation {
    condition     = length(var.notification_channels) <= 5
    error_message = "notification_channels has ${length(var.notification_channels)} channels. A budget notifies 5 at most."
  }
}
