resource "aws_efs_file_system" "sessions" {
  #checkov:skip=CKV_AWS_184:It is encrypted. The check asks for a key of your own.
  count            = local.use_files
  encrypted        = true
  performance_mode = "generalPurpose"
  throughput_mode  = var.efs_throughput_mode
}

# A backup brings back sessions that have ended.
resource "aws_efs_backup_policy" "none" {
  count          = local.use_files
  file_system_id = aws_efs_file_system.sessions[0].id

  backup_policy {
    status = "DISABLED"
  }
}

# A file system without a policy admits every client that reaches it. This policy only denies; what is
# allowed is in the role of the app. https://docs.aws.amazon.com/efs/latest/ug/iam-access-control-nfs-efs.html
resource "aws_efs_file_system_policy" "sessions" {
  count          = local.use_files
  file_system_id = aws_efs_file_system.sessions[0].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Deny"
      Principal = { AWS = "*" }
      Action    = ["elasticfilesystem:Client*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
}

resource "aws_efs_access_point" "sessions" {
  count          = local.use_files
  file_system_id = aws_efs_file_system.sessions[0].id

  posix_user {
    uid = 10001
    gid = 10001
  }

  root_directory {
    path = "/sessions"

    creation_info {
      owner_uid   = 10001
      owner_gid   = 10001
      permissions = "0700"
    }
  }
}

resource "aws_efs_mount_target" "sessions" {
  count           = 3 * local.use_files
  file_system_id  = aws_efs_file_system.sessions[0].id
  subnet_id       = aws_subnet.private[count.index].id
  security_groups = [aws_security_group.store[0].id]
}
