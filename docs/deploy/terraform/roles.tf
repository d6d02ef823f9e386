# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html
data "aws_iam_policy_document" "tasks_may_assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }

    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = ["arn:${local.partition}:ecs:${local.region}:${local.account}:*"]
    }
  }
}

# Used by the agent of Fargate before the app runs. The app itself never sees these rights.
resource "aws_iam_role" "execution" {
  name               = "${var.name}-execution"
  description        = "Pulls the image, reads the signing keys, writes the log"
  assume_role_policy = data.aws_iam_policy_document.tasks_may_assume.json
}

data "aws_iam_policy_document" "start" {
  statement {
    actions   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    resources = ["arn:${local.partition}:ecr:${local.region}:${local.account}:repository/${var.repository_name}"]
  }

  # `*`, because this action knows no resources:
  # https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerregistry.html
  statement {
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"]
  }

  statement {
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.app.arn}:*"]
  }

  statement {
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [aws_secretsmanager_secret.signing_keys.arn]
  }
}

resource "aws_iam_role_policy" "start" {
  name   = "start"
  role   = aws_iam_role.execution.id
  policy = data.aws_iam_policy_document.start.json
}

# The app's own rights: its store and nothing else.
resource "aws_iam_role" "task" {
  name               = "${var.name}-task"
  description        = "The app, which may use its session store"
  assume_role_policy = data.aws_iam_policy_document.tasks_may_assume.json
}

data "aws_iam_policy_document" "sessions" {
  # https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/auth-iam.html
  dynamic "statement" {
    for_each = aws_elasticache_replication_group.sessions

    content {
      actions   = ["elasticache:Connect"]
      resources = [statement.value.arn, aws_elasticache_user.app[0].arn]
    }
  }

  dynamic "statement" {
    for_each = aws_dynamodb_table.sessions

    content {
      actions   = ["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]
      resources = [statement.value.arn]
    }
  }

  dynamic "statement" {
    for_each = aws_efs_file_system.sessions

    content {
      actions   = ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"]
      resources = [statement.value.arn]

      condition {
        test     = "StringEquals"
        variable = "elasticfilesystem:AccessPointArn"
        values   = [aws_efs_access_point.sessions[0].arn]
      }
    }
  }
}

resource "aws_iam_role_policy" "sessions" {
  name   = "sessions"
  role   = aws_iam_role.task.id
  policy = data.aws_iam_policy_document.sessions.json
}
