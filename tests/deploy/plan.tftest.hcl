# `terraform test` plans each store against a mock provider. It needs no account. scripts/check-deploy runs it.
mock_provider "aws" {
  mock_data "aws_availability_zones" {
    defaults = { names = ["xx-test-1a", "xx-test-1b", "xx-test-1c", "xx-test-1d"] }
  }

  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
}

variables {
  image           = "123456789012.dkr.ecr.xx-test-1.amazonaws.com/shop@sha256:0000000000000000000000000000000000000000000000000000000000000000"
  repository_name = "shop"
  certificate_arn = "arn:aws:acm:xx-test-1:123456789012:certificate/a"
  alarm_topic_arn = "arn:aws:sns:xx-test-1:123456789012:alarms"
}

run "elasticache" {
  command = plan

  variables {
    store = "elasticache"
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.all) == 13 && length(aws_dynamodb_table.sessions) + length(aws_efs_file_system.sessions) == 0
    error_message = "The store is the cache, with its eight alarms and the five of the app."
  }
}

run "dynamodb" {
  command = plan

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.all) == 10 && length(aws_security_group.store) == 0
    error_message = "The store is the table, which is outside of the VPC."
  }

  assert {
    condition     = local.store_url == "dynamodb://shop-sessions?region=${data.aws_region.current.name}"
    error_message = "STORE names the table."
  }
}

run "efs" {
  command = plan

  variables {
    store               = "efs"
    efs_throughput_mode = "bursting"
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.all) == 8 && length(aws_efs_mount_target.sessions) == 3
    error_message = "The store is the file system, with its three alarms and a mount target in each zone."
  }
}
