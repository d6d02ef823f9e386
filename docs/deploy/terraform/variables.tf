variable "name" {
  description = "Begins the names of what needs a fixed name. Lower case, at most 20 characters."
  type        = string
  default     = "shop"

  validation {
    condition     = can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.name)) && length(var.name) <= 20
    error_message = "Lower-case letters, digits and single hyphens, at most 20 characters."
  }
}

variable "image" {
  description = "The image with its digest, so that every task runs the same one."
  type        = string

  validation {
    condition     = can(regex("\\.dkr\\.ecr\\..+@sha256:[0-9a-f]{64}$", var.image))
    error_message = "An image in ECR, with its digest: …dkr.ecr.….amazonaws.com/NAME@sha256:…"
  }
}

variable "repository_name" {
  description = "The image's repository in ECR, in this account and region."
  type        = string
}

variable "certificate_arn" {
  description = "The certificate in ACM for the shop's host name."
  type        = string
}

variable "alarm_topic_arn" {
  description = "The SNS topic that somebody reads."
  type        = string
}

variable "cpu_architecture" {
  type    = string
  default = "ARM64"

  validation {
    condition     = contains(["ARM64", "X86_64"], var.cpu_architecture)
    error_message = "ARM64 or X86_64."
  }
}

variable "min_tasks" {
  description = "Three, so that each zone has one."
  type        = number
  default     = 3

  validation {
    condition     = var.min_tasks >= 3
    error_message = "At least 3."
  }
}

variable "max_tasks" {
  type    = number
  default = 12
}

variable "store" {
  description = "Where the sessions are kept: elasticache, dynamodb or efs."
  type        = string
  default     = "dynamodb"

  validation {
    condition     = contains(["elasticache", "dynamodb", "efs"], var.store)
    error_message = "elasticache, dynamodb or efs."
  }
}

variable "cache_node_type" {
  description = "For store=elasticache."
  type        = string
  default     = "cache.t4g.medium"
}

variable "efs_throughput_mode" {
  description = "For store=efs. With `bursting` there is an alarm on the burst credits."
  type        = string
  default     = "elastic"

  validation {
    condition     = contains(["elastic", "bursting"], var.efs_throughput_mode)
    error_message = "elastic or bursting."
  }
}

variable "vpc_cidr" {
  description = "A /16. Nothing outside of the VPC routes to it."
  type        = string
  default     = "10.64.0.0/16"
}

variable "requests_per_address" {
  description = "Requests in five minutes from one address, above which WAF blocks it."
  type        = number
  default     = 2000
}

variable "logins_per_address" {
  description = "The same for POST requests to paths that end in /login."
  type        = number
  default     = 50
}
