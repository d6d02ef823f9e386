resource "aws_dynamodb_table" "sessions" {
  #checkov:skip=CKV_AWS_28:A restored table brings back sessions that have ended. Losing all sessions costs a login each.
  #checkov:skip=CKV_AWS_119:DynamoDB encrypts it with a key of its own. A key of yours costs the role kms:Decrypt and can be disabled.
  count                       = local.use_table
  name                        = "${var.name}-sessions"
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "id"
  deletion_protection_enabled = true

  attribute {
    name = "id"
    type = "B"
  }

  ttl {
    attribute_name = "ttl"
    enabled        = true
  }

  point_in_time_recovery {
    enabled = false
  }
}
