variable "project_id" {
  description = "Project of the buckets, the repository and the key."
  type        = string
}

variable "name" {
  description = "What names begin with. Bucket names are the whole world's, so they get the project's id as well."
  type        = string
}

variable "region" {
  description = "Region of all of it: that of the slices, so that loading a checkpoint crosses no border and costs nothing."
  type        = string
}

variable "labels" {
  description = "Labels of everything that can carry them."
  type        = map(string)
  default     = {}
}

variable "noncurrent_versions" {
  description = "How many earlier versions of an object are kept when it is overwritten or deleted."
  type        = number
  default     = 2

  validation {
    condition     = var.noncurrent_versions >= 1 && var.noncurrent_versions <= 100 && floor(var.noncurrent_versions) == var.noncurrent_versions
    error_message = "noncurrent_versions is ${var.noncurrent_versions}. Accepted are whole numbers from 1 to 100."
  }
}

variable "noncurrent_days" {
  description = "For how many days an earlier version is kept at most."
  type        = number
  default     = 30

  validation {
    condition     = var.noncurrent_days >= 1 && floor(var.noncurrent_days) == var.noncurrent_days
    error_message = "noncurrent_days is ${var.noncurrent_days}. Accepted are whole numbers from 1 on."
  }
}

variable "deletion_protection" {
  description = "Whether a bucket that holds anything refuses to be destroyed."
  type        = bool
  default     = true
}
