# What the agent of Fargate needs: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/vpc-endpoints.html
# Each endpoint lets through what one of our roles may do, and nothing for credentials of another account.
resource "aws_vpc_endpoint" "image_layers" {
  vpc_id            = aws_vpc.main.id
  vpc_endpoint_type = "Gateway"
  service_name      = "com.amazonaws.${local.region}.s3"
  route_table_ids   = [aws_route_table.private.id]

  # https://docs.aws.amazon.com/AmazonECR/latest/userguide/vpc-endpoints.html
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = "*"
      Action    = "s3:GetObject"
      Resource  = "arn:${local.partition}:s3:::prod-${local.region}-starport-layer-bucket/*"
    }]
  })
}

resource "aws_vpc_endpoint" "images" {
  for_each            = toset(["ecr.api", "ecr.dkr"])
  vpc_id              = aws_vpc.main.id
  vpc_endpoint_type   = "Interface"
  service_name        = "com.amazonaws.${local.region}.${each.key}"
  private_dns_enabled = true
  subnet_ids          = aws_subnet.private[*].id
  security_group_ids  = [aws_security_group.endpoints.id]

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect    = "Allow"
        Principal = "*"
        Action    = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
        Resource  = "arn:${local.partition}:ecr:${local.region}:${local.account}:repository/${var.repository_name}"
        Condition = { ArnEquals = { "aws:PrincipalArn" = aws_iam_role.execution.arn } }
      },
      {
        # `*`, because this action knows no resources.
        Effect    = "Allow"
        Principal = "*"
        Action    = "ecr:GetAuthorizationToken"
        Resource  = "*"
        Condition = { ArnEquals = { "aws:PrincipalArn" = aws_iam_role.execution.arn } }
      },
    ]
  })
}

resource "aws_vpc_endpoint" "logs" {
  vpc_id              = aws_vpc.main.id
  vpc_endpoint_type   = "Interface"
  service_name        = "com.amazonaws.${local.region}.logs"
  private_dns_enabled = true
  subnet_ids          = aws_subnet.private[*].id
  security_group_ids  = [aws_security_group.endpoints.id]

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = "*"
      Action    = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource  = "${aws_cloudwatch_log_group.app.arn}:*"
      Condition = { ArnEquals = { "aws:PrincipalArn" = aws_iam_role.execution.arn } }
    }]
  })
}

resource "aws_vpc_endpoint" "secrets" {
  vpc_id              = aws_vpc.main.id
  vpc_endpoint_type   = "Interface"
  service_name        = "com.amazonaws.${local.region}.secretsmanager"
  private_dns_enabled = true
  subnet_ids          = aws_subnet.private[*].id
  security_group_ids  = [aws_security_group.endpoints.id]

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = "*"
      Action    = "secretsmanager:GetSecretValue"
      Resource  = aws_secretsmanager_secret.signing_keys.arn
      Condition = { ArnEquals = { "aws:PrincipalArn" = aws_iam_role.execution.arn } }
    }]
  })
}

resource "aws_vpc_endpoint" "table" {
  count             = local.use_table
  vpc_id            = aws_vpc.main.id
  vpc_endpoint_type = "Gateway"
  service_name      = "com.amazonaws.${local.region}.dynamodb"
  route_table_ids   = [aws_route_table.private.id]

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = "*"
      Action    = ["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]
      Resource  = aws_dynamodb_table.sessions[0].arn
      Condition = { ArnEquals = { "aws:PrincipalArn" = aws_iam_role.task.arn } }
    }]
  })
}
