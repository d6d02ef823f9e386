resource "aws_elasticache_subnet_group" "sessions" {
  count      = local.use_cache
  name       = "${var.name}-sessions"
  subnet_ids = aws_subnet.private[*].id
}

# The default, volatile-lru, would evict sessions without an error when the memory is full.
resource "aws_elasticache_parameter_group" "sessions" {
  count       = local.use_cache
  name        = "${var.name}-sessions"
  family      = "valkey8"
  description = "For a cache that keeps sessions and nothing else"

  parameter {
    name  = "maxmemory-policy"
    value = "noeviction"
  }
}

resource "aws_elasticache_user" "app" {
  count         = local.use_cache
  user_id       = "${var.name}-app"
  user_name     = "${var.name}-app" # IAM wants the id and the name to be equal
  engine        = "valkey"
  access_string = "on ~cloakroom:* -@all +get +mget +set +del +evalsha +eval +getrange +setrange +pexpire"

  authentication_mode {
    type = "iam"
  }
}

# Of Valkey's engine, so that it needs no user `default`, who would be another login.
resource "aws_elasticache_user_group" "sessions" {
  count         = local.use_cache
  user_group_id = "${var.name}-sessions"
  engine        = "valkey"
  user_ids      = [aws_elasticache_user.app[0].user_id]
}

resource "aws_elasticache_replication_group" "sessions" {
  #checkov:skip=CKV_AWS_31:The check wants an AUTH token. IAM is stronger; there is no password at all.
  #checkov:skip=CKV_AWS_191:ElastiCache encrypts the disks with a key of its own. Sessions live in memory.
  count                      = local.use_cache
  replication_group_id       = "${var.name}-sessions"
  description                = "Sessions"
  engine                     = "valkey"
  engine_version             = "8.1"
  node_type                  = var.cache_node_type
  parameter_group_name       = aws_elasticache_parameter_group.sessions[0].name
  subnet_group_name          = aws_elasticache_subnet_group.sessions[0].name
  security_group_ids         = [aws_security_group.store[0].id]
  num_cache_clusters         = 3
  automatic_failover_enabled = true
  multi_az_enabled           = true
  transit_encryption_enabled = true
  transit_encryption_mode    = "required"
  at_rest_encryption_enabled = true
  user_group_ids             = [aws_elasticache_user_group.sessions[0].user_group_id]
  # No snapshot, at the end neither: a restored one brings back sessions that have ended.
  snapshot_retention_limit   = 0
  auto_minor_version_upgrade = true
}
