# docs/deploy.md says for each alarm what it means and what to do.
locals {
  balancer = { LoadBalancer = aws_lb.main.arn_suffix }
  targets  = { LoadBalancer = aws_lb.main.arn_suffix, TargetGroup = aws_lb_target_group.app.arn_suffix }

  # Of `points` minutes out of `periods`. `expression` is over the ids a, b, … of `metrics`.
  alarms_of_the_app = {
    app-errors = {
      description = "More than 1 % of the answers of the app are 5xx. 503 means that the store does not answer."
      above       = 1, periods = 5, points = 3
      expression  = "100 * a / FILL(b, 1)"
      metrics = [
        { of = "AWS/ApplicationELB", name = "HTTPCode_Target_5XX_Count", stat = "Sum", dimensions = local.targets },
        { of = "AWS/ApplicationELB", name = "RequestCount", stat = "Sum", dimensions = local.targets },
      ]
    }
    balancer-errors = {
      description = "The load balancer itself answers 5xx, because no task takes the request."
      above       = 10, periods = 5, points = 3
      metrics     = [{ of = "AWS/ApplicationELB", name = "HTTPCode_ELB_5XX_Count", stat = "Sum", dimensions = local.balancer }]
    }
    latency = {
      description = "One answer in a hundred takes longer than a second. A store command may take 2 s and a commit 5 s."
      above       = 1, periods = 5, points = 3
      metrics     = [{ of = "AWS/ApplicationELB", name = "TargetResponseTime", stat = "p99", dimensions = local.targets }]
    }
    tasks = {
      description = "Fewer than two tasks are healthy."
      below       = 2, periods = 3, points = 3, missing = "breaching"
      metrics     = [{ of = "AWS/ApplicationELB", name = "HealthyHostCount", stat = "Minimum", dimensions = local.targets }]
    }
    blocked = {
      description = "WAF blocks many requests, which is an attack or a rule that blocks visitors."
      above       = 500, periods = 1, points = 1, period = 300
      metrics     = [{ of = "AWS/WAFV2", name = "BlockedRequests", stat = "Sum", dimensions = { WebACL = "${var.name}-acl", Region = local.region, Rule = "ALL" } }]
    }
  }

  # Of each measure the worst of the three nodes.
  cache_measures = {
    cache-evictions     = { name = "Evictions", stat = "Sum", above = 0, periods = 1, points = 1, description = "The cache removed sessions to make room, although its parameter group forbids it." }
    cache-memory        = { name = "DatabaseMemoryUsagePercentage", stat = "Maximum", above = 70, periods = 5, points = 5, description = "The cache is filling up. When it is full, every write is answered 503." }
    cache-lag           = { name = "ReplicationLag", stat = "Maximum", above = 1, periods = 5, points = 3, description = "A failover now would lose more than a second of changes and logouts." }
    cache-cpu           = { name = "EngineCPUUtilization", stat = "Maximum", above = 90, periods = 5, points = 3, description = "The engine's thread has no reserve." }
    cache-write-latency = { name = "SuccessfulWriteRequestLatency", stat = "Average", above = 1000, periods = 5, points = 3, description = "Writes take more than a millisecond (in microseconds) inside the cache." }
    cache-login         = { name = "AuthenticationFailures", stat = "Sum", above = 0, periods = 1, points = 1, description = "Somebody tries to log in to the cache and may not." }
    cache-command       = { name = "CommandAuthorizationFailures", stat = "Sum", above = 50, periods = 1, points = 1, description = "A client sent a command that its user may not send." }
    cache-key           = { name = "KeyAuthorizationFailures", stat = "Sum", above = 0, periods = 1, points = 1, description = "A client asked for a key that its user may not touch." }
  }

  alarms_of_the_cache = {
    for alarm, measure in local.cache_measures : alarm => merge(measure, {
      expression = "MAX([a, b, c])"
      metrics = [for node in ["001", "002", "003"] : {
        of = "AWS/ElastiCache", name = measure.name, stat = measure.stat, dimensions = { CacheClusterId = "${var.name}-sessions-${node}" }
      }]
    }) if local.use_cache == 1
  }

  table = { TableName = "${var.name}-sessions" }

  alarms_of_the_table = {
    for alarm, settings in {
      table-read-throttle = {
        description = "DynamoDB refuses reads. The SDK repeats them for 1.5 s, then visitors get 503."
        above       = 0, periods = 5, points = 2
        metrics     = [{ of = "AWS/DynamoDB", name = "ReadThrottleEvents", stat = "Sum", dimensions = local.table }]
      }
      table-write-throttle = {
        description = "DynamoDB refuses writes. The SDK repeats them for 1.5 s, then visitors get 503."
        above       = 0, periods = 5, points = 2
        metrics     = [{ of = "AWS/DynamoDB", name = "WriteThrottleEvents", stat = "Sum", dimensions = local.table }]
      }
      table-errors = {
        description = "DynamoDB itself fails."
        above       = 5, periods = 5, points = 3
        expression  = "SUM([FILL(a, 0), FILL(b, 0), FILL(c, 0), FILL(d, 0)])"
        metrics = [for operation in ["GetItem", "PutItem", "UpdateItem", "DeleteItem"] : {
          of = "AWS/DynamoDB", name = "SystemErrors", stat = "Sum", dimensions = merge(local.table, { Operation = operation })
        }]
      }
      table-read-latency = {
        description = "Reads take more than 50 ms on average inside DynamoDB."
        above       = 50, periods = 5, points = 3
        metrics     = [{ of = "AWS/DynamoDB", name = "SuccessfulRequestLatency", stat = "Average", dimensions = merge(local.table, { Operation = "GetItem" }) }]
      }
      table-write-latency = {
        description = "Writes take more than 50 ms on average inside DynamoDB."
        above       = 50, periods = 5, points = 3
        metrics     = [{ of = "AWS/DynamoDB", name = "SuccessfulRequestLatency", stat = "Average", dimensions = merge(local.table, { Operation = "PutItem" }) }]
      }
    } : alarm => settings if local.use_table == 1
  }

  files = { FileSystemId = join("", aws_efs_file_system.sessions[*].id) }

  alarms_of_the_files = {
    for alarm, settings in {
      files-limit = {
        description = "The file system is near the limit of its operations per second."
        above       = 80, periods = 15, points = 10
        metrics     = [{ of = "AWS/EFS", name = "PercentIOLimit", stat = "Maximum", dimensions = local.files }]
      }
      files-clients = {
        description = "No task has the file system mounted."
        below       = 1, periods = 5, points = 3, missing = "breaching"
        metrics     = [{ of = "AWS/EFS", name = "ClientConnections", stat = "Sum", dimensions = local.files }]
      }
    } : alarm => settings if local.use_files == 1
  }

  alarms_of_the_credits = {
    for alarm, settings in {
      files-credits = {
        description = "The burst credits are running out (in bytes). After that every request waits."
        below       = 230000000000, periods = 15, points = 10
        metrics     = [{ of = "AWS/EFS", name = "BurstCreditBalance", stat = "Minimum", dimensions = local.files }]
      }
    } : alarm => settings if local.use_credits == 1
  }
}

resource "aws_cloudwatch_metric_alarm" "all" {
  for_each = merge(
    local.alarms_of_the_app,
    local.alarms_of_the_cache,
    local.alarms_of_the_table,
    local.alarms_of_the_files,
    local.alarms_of_the_credits,
  )

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  comparison_operator = can(each.value.above) ? "GreaterThanThreshold" : "LessThanThreshold"
  threshold           = try(each.value.above, each.value.below)
  evaluation_periods  = each.value.periods
  datapoints_to_alarm = each.value.points
  treat_missing_data  = try(each.value.missing, "notBreaching")
  alarm_actions       = [var.alarm_topic_arn]
  ok_actions          = [var.alarm_topic_arn]

  dynamic "metric_query" {
    for_each = each.value.metrics

    content {
      id          = substr("abcd", metric_query.key, 1)
      return_data = !can(each.value.expression)

      metric {
        namespace   = metric_query.value.of
        metric_name = metric_query.value.name
        stat        = metric_query.value.stat
        period      = try(each.value.period, 60)
        dimensions  = metric_query.value.dimensions
      }
    }
  }

  dynamic "metric_query" {
    for_each = can(each.value.expression) ? [each.value.expression] : []

    content {
      id          = "result"
      expression  = metric_query.value
      label       = each.key
      return_data = true
    }
  }
}
