resource "aws_s3_bucket" "access_log" {
  #checkov:skip=CKV_AWS_18:This is the bucket of logs.
  #checkov:skip=CKV_AWS_21:Nobody changes a log; a second version of it would only cost.
  #checkov:skip=CKV_AWS_144:A log is not worth a copy in another region.
  #checkov:skip=CKV_AWS_145:Load balancers write only to buckets that S3's own keys encrypt.
  #checkov:skip=CKV2_AWS_62:Nothing has to happen when a log arrives.
  bucket_prefix = "${var.name}-access-log-"
}

resource "aws_s3_bucket_server_side_encryption_configuration" "access_log" {
  bucket = aws_s3_bucket.access_log.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_public_access_block" "access_log" {
  bucket                  = aws_s3_bucket.access_log.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "access_log" {
  bucket = aws_s3_bucket.access_log.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "access_log" {
  bucket = aws_s3_bucket.access_log.id

  rule {
    id     = "expire"
    status = "Enabled"

    filter {}

    expiration {
      days = 90
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }
}

resource "aws_s3_bucket_policy" "access_log" {
  bucket = aws_s3_bucket.access_log.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        # https://docs.aws.amazon.com/elasticloadbalancing/latest/application/enable-access-logging.html
        Effect    = "Allow"
        Principal = { Service = "logdelivery.elasticloadbalancing.amazonaws.com" }
        Action    = "s3:PutObject"
        Resource  = "${aws_s3_bucket.access_log.arn}/AWSLogs/${local.account}/*"
      },
      {
        Effect    = "Deny"
        Principal = "*"
        Action    = "s3:*"
        Resource  = [aws_s3_bucket.access_log.arn, "${aws_s3_bucket.access_log.arn}/*"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]
  })
}

resource "aws_lb" "main" {
  #checkov:skip=CKV2_AWS_76:It also asks for AWSManagedRulesAnonymousIpList, which blocks visitors who use a VPN. The group against Log4j is there.
  name               = var.name
  load_balancer_type = "application"
  internal           = false
  subnets            = aws_subnet.public[*].id
  security_groups    = [aws_security_group.balancer.id]

  enable_deletion_protection = true
  # Two readings of one request must not smuggle a second one in.
  drop_invalid_header_fields = true
  desync_mitigation_mode     = "defensive"
  # Requests wait while WAF cannot be reached, instead of passing it by.
  enable_waf_fail_open = false
  # Longer than the longest commit (5 s) and any request of the app.
  idle_timeout = 60

  access_logs {
    bucket  = aws_s3_bucket.access_log.id
    enabled = true
  }

  depends_on = [aws_internet_gateway.main, aws_s3_bucket_policy.access_log]
}

# There is no listener on port 80: a first request in plain text could be redirected by anybody on the way.
resource "aws_lb_listener" "https" {
  load_balancer_arn = aws_lb.main.arn
  port              = 443
  protocol          = "HTTPS"
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn   = var.certificate_arn

  routing_http_response_strict_transport_security_header_value = "max-age=31536000"

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.app.arn
  }
}

resource "aws_lb_target_group" "app" {
  #checkov:skip=CKV_AWS_378:TLS ends at the load balancer; between it and the tasks is nothing but this VPC.
  name        = var.name
  vpc_id      = aws_vpc.main.id
  target_type = "ip"
  protocol    = "HTTP"
  port        = local.app_port
  # Longer than the longest request; a task gets SIGTERM only afterwards.
  deregistration_delay          = 30
  load_balancing_algorithm_type = "least_outstanding_requests"

  # It must not ask the store: an outage of the store would have ECS replace every task. docs/deploy.md.
  health_check {
    path                = "/healthz"
    interval            = 10
    timeout             = 5
    healthy_threshold   = 2
    unhealthy_threshold = 3
    matcher             = "200"
  }

  # Not needed: every task finds every session.
  stickiness {
    enabled = false
    type    = "lb_cookie"
  }
}
