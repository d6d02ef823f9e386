locals {
  # No password in any of them: the task's role is the login.
  store_url = join("", concat(
    [for cache in aws_elasticache_replication_group.sessions : "rediss://${aws_elasticache_user.app[0].user_name}@${cache.primary_endpoint_address}:6379?iam=${cache.id}&region=${local.region}"],
    [for table in aws_dynamodb_table.sessions : "dynamodb://${table.name}?region=${local.region}"],
    [for files in aws_efs_file_system.sessions : "file:///mnt/sessions"],
  ))
}

resource "aws_ecs_cluster" "main" {
  name = var.name

  setting {
    name  = "containerInsights"
    value = "enabled"
  }
}

resource "aws_ecs_task_definition" "app" {
  family                   = var.name
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 512
  memory                   = 1024
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.task.arn

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = var.cpu_architecture
  }

  container_definitions = jsonencode([{
    name                   = "app"
    image                  = var.image
    essential              = true
    user                   = "10001:10001"
    readonlyRootFilesystem = true
    linuxParameters        = { capabilities = { drop = ["ALL"] } }
    portMappings           = [{ containerPort = local.app_port, protocol = "tcp" }]
    environment = [
      { name = "LISTEN", value = "0.0.0.0" },
      { name = "PORT", value = tostring(local.app_port) },
      { name = "STORE", value = local.store_url },
      # The SDK would use an endpoint with the account's number in its name, for which the gateway endpoint is
      # not made.
      { name = "AWS_ACCOUNT_ID_ENDPOINT_MODE", value = "disabled" },
    ]
    secrets     = [{ name = "SESSION_KEYS", valueFrom = aws_secretsmanager_secret.signing_keys.arn }]
    mountPoints = local.use_files == 1 ? [{ sourceVolume = "sessions", containerPath = "/mnt/sessions", readOnly = false }] : []
    # After SIGTERM: the requests that are still open, then the commits (at most 5 s each).
    stopTimeout = 30
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        "awslogs-group"         = aws_cloudwatch_log_group.app.name
        "awslogs-region"        = local.region
        "awslogs-stream-prefix" = "app"
        # While CloudWatch does not answer, lines are lost. Otherwise the app would stop at its next line.
        # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using_awslogs.html
        "mode"            = "non-blocking"
        "max-buffer-size" = "25m"
      }
    }
  }])

  dynamic "volume" {
    for_each = aws_efs_file_system.sessions

    content {
      name = "sessions"

      efs_volume_configuration {
        file_system_id     = volume.value.id
        transit_encryption = "ENABLED"

        authorization_config {
          access_point_id = aws_efs_access_point.sessions[0].id
          iam             = "ENABLED"
        }
      }
    }
  }
}

resource "aws_ecs_service" "app" {
  name                              = var.name
  cluster                           = aws_ecs_cluster.main.id
  task_definition                   = aws_ecs_task_definition.app.arn
  launch_type                       = "FARGATE"
  desired_count                     = var.min_tasks
  availability_zone_rebalancing     = "ENABLED"
  enable_execute_command            = false
  health_check_grace_period_seconds = 30
  # Fargate starts the new tasks before it stops the old ones.
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  alarms {
    enable      = true
    rollback    = true
    alarm_names = [aws_cloudwatch_metric_alarm.all["app-errors"].alarm_name]
  }

  load_balancer {
    container_name   = "app"
    container_port   = local.app_port
    target_group_arn = aws_lb_target_group.app.arn
  }

  network_configuration {
    assign_public_ip = false
    subnets          = aws_subnet.private[*].id
    security_groups  = [aws_security_group.app.id]
  }

  # The number of tasks belongs to the auto-scaling from here on.
  lifecycle {
    ignore_changes = [desired_count]
  }

  depends_on = [
    aws_lb_listener.https,
    aws_iam_role_policy.start,
    aws_iam_role_policy.sessions,
    aws_secretsmanager_secret_version.first_key,
    aws_efs_mount_target.sessions,
    aws_vpc_endpoint.image_layers,
    aws_vpc_endpoint.images,
    aws_vpc_endpoint.logs,
    aws_vpc_endpoint.secrets,
    aws_vpc_endpoint.table,
  ]
}

resource "aws_appautoscaling_target" "app" {
  service_namespace  = "ecs"
  scalable_dimension = "ecs:service:DesiredCount"
  resource_id        = "service/${aws_ecs_cluster.main.name}/${aws_ecs_service.app.name}"
  min_capacity       = var.min_tasks
  max_capacity       = var.max_tasks
}

resource "aws_appautoscaling_policy" "processor" {
  name               = "processor"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.app.service_namespace
  scalable_dimension = aws_appautoscaling_target.app.scalable_dimension
  resource_id        = aws_appautoscaling_target.app.resource_id

  target_tracking_scaling_policy_configuration {
    target_value       = 50
    scale_in_cooldown  = 300
    scale_out_cooldown = 60

    predefined_metric_specification {
      predefined_metric_type = "ECSServiceAverageCPUUtilization"
    }
  }
}
