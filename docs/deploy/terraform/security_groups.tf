# Each rule names the other end by its group. Port 443 of the load balancer is the only one that is open to all.
# Terraform removes the rule with which AWS lets a new group reach everything.
resource "aws_security_group" "balancer" {
  name        = "${var.name}-balancer"
  description = "The load balancer"
  vpc_id      = aws_vpc.main.id
}

resource "aws_security_group" "app" {
  name        = "${var.name}-app"
  description = "The tasks of the app"
  vpc_id      = aws_vpc.main.id
}

resource "aws_security_group" "endpoints" {
  name        = "${var.name}-endpoints"
  description = "The interface endpoints of AWS services"
  vpc_id      = aws_vpc.main.id
}

resource "aws_security_group" "store" {
  count       = local.in_vpc
  name        = "${var.name}-store"
  description = "The cache, or the mount targets of the file system"
  vpc_id      = aws_vpc.main.id
}

resource "aws_vpc_security_group_ingress_rule" "visitors_to_balancer" {
  security_group_id = aws_security_group.balancer.id
  description       = "HTTPS from anywhere"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_ipv4         = "0.0.0.0/0"
}

resource "aws_vpc_security_group_egress_rule" "balancer_out" {
  security_group_id            = aws_security_group.balancer.id
  description                  = "To the tasks"
  ip_protocol                  = "tcp"
  from_port                    = local.app_port
  to_port                      = local.app_port
  referenced_security_group_id = aws_security_group.app.id
}

resource "aws_vpc_security_group_ingress_rule" "balancer_to_app" {
  security_group_id            = aws_security_group.app.id
  description                  = "From the load balancer"
  ip_protocol                  = "tcp"
  from_port                    = local.app_port
  to_port                      = local.app_port
  referenced_security_group_id = aws_security_group.balancer.id
}

resource "aws_vpc_security_group_egress_rule" "app_to_endpoints" {
  security_group_id            = aws_security_group.app.id
  description                  = "To ECR, Secrets Manager and CloudWatch Logs"
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
  referenced_security_group_id = aws_security_group.endpoints.id
}

resource "aws_vpc_security_group_ingress_rule" "endpoints_in" {
  security_group_id            = aws_security_group.endpoints.id
  description                  = "From the tasks"
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
  referenced_security_group_id = aws_security_group.app.id
}

resource "aws_vpc_security_group_egress_rule" "app_to_image_layers" {
  security_group_id = aws_security_group.app.id
  description       = "To S3, where ECR keeps the layers of images"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  prefix_list_id    = aws_vpc_endpoint.image_layers.prefix_list_id
}

resource "aws_vpc_security_group_egress_rule" "app_to_table" {
  count             = local.use_table
  security_group_id = aws_security_group.app.id
  description       = "To DynamoDB"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  prefix_list_id    = aws_vpc_endpoint.table[0].prefix_list_id
}

resource "aws_vpc_security_group_egress_rule" "app_to_cache" {
  count                        = local.use_cache
  security_group_id            = aws_security_group.app.id
  description                  = "To the cache"
  ip_protocol                  = "tcp"
  from_port                    = 6379
  to_port                      = 6379
  referenced_security_group_id = aws_security_group.store[0].id
}

resource "aws_vpc_security_group_ingress_rule" "cache_in" {
  count                        = local.use_cache
  security_group_id            = aws_security_group.store[0].id
  description                  = "From the tasks"
  ip_protocol                  = "tcp"
  from_port                    = 6379
  to_port                      = 6379
  referenced_security_group_id = aws_security_group.app.id
}

# AWS does not say whether the replication between the nodes passes the group's rules. If it does, it needs these.
resource "aws_vpc_security_group_egress_rule" "cache_nodes_out" {
  count                        = local.use_cache
  security_group_id            = aws_security_group.store[0].id
  description                  = "Between the nodes"
  ip_protocol                  = "tcp"
  from_port                    = 6379
  to_port                      = 6379
  referenced_security_group_id = aws_security_group.store[0].id
}

resource "aws_vpc_security_group_ingress_rule" "cache_nodes_in" {
  count                        = local.use_cache
  security_group_id            = aws_security_group.store[0].id
  description                  = "Between the nodes"
  ip_protocol                  = "tcp"
  from_port                    = 6379
  to_port                      = 6379
  referenced_security_group_id = aws_security_group.store[0].id
}

resource "aws_vpc_security_group_egress_rule" "app_to_files" {
  count                        = local.use_files
  security_group_id            = aws_security_group.app.id
  description                  = "To the mount targets"
  ip_protocol                  = "tcp"
  from_port                    = 2049
  to_port                      = 2049
  referenced_security_group_id = aws_security_group.store[0].id
}

resource "aws_vpc_security_group_ingress_rule" "files_in" {
  count                        = local.use_files
  security_group_id            = aws_security_group.store[0].id
  description                  = "From the tasks"
  ip_protocol                  = "tcp"
  from_port                    = 2049
  to_port                      = 2049
  referenced_security_group_id = aws_security_group.app.id
}
