terraform {
  # 1.11, for arguments that are written and never kept in the state (the first signing key).
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

data "aws_availability_zones" "available" {
  #checkov:skip=CKV_AWS_394:The first three by name are used, and AWS names new zones by later letters.
  state = "available"

  # No local zones, which have neither Fargate nor EFS.
  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }
}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.name
  zones     = slice(data.aws_availability_zones.available.names, 0, 3)

  use_cache   = var.store == "elasticache" ? 1 : 0
  use_table   = var.store == "dynamodb" ? 1 : 0
  use_files   = var.store == "efs" ? 1 : 0
  in_vpc      = local.use_cache + local.use_files
  use_credits = local.use_files == 1 && var.efs_throughput_mode == "bursting" ? 1 : 0
  app_port    = 3000
}
