# The first key: 44 characters of the alphabet of base64url, which are 33 bytes with 262 bits of entropy. It is
# drawn by AWS, written once, and is neither in the plan nor in the state. `rotate-keys` replaces it.
ephemeral "aws_secretsmanager_random_password" "first_key" {
  password_length            = 44
  exclude_punctuation        = true
  require_each_included_type = false
}

resource "aws_secretsmanager_secret" "signing_keys" {
  #checkov:skip=CKV_AWS_149:The key of Secrets Manager itself encrypts it. A key of your own costs the execution role kms:Decrypt.
  #checkov:skip=CKV2_AWS_57:The rotation has two steps with a roll-out between them. One step at night would log visitors out.
  name        = "${var.name}/session-keys"
  description = "Keys that sign the session tickets, in base64url with commas between them. The first signs."
}

resource "aws_secretsmanager_secret_version" "first_key" {
  secret_id        = aws_secretsmanager_secret.signing_keys.id
  secret_string_wo = ephemeral.aws_secretsmanager_random_password.first_key.random_password
  # Leave it at 1: another number would replace the ring of keys by a single new one.
  secret_string_wo_version = 1
}

resource "aws_cloudwatch_log_group" "app" {
  #checkov:skip=CKV_AWS_158:CloudWatch encrypts it with a key of its own. cloakroom logs no ids and no keys.
  name              = "/${var.name}/app"
  retention_in_days = 365
}
