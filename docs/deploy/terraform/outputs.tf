output "balancer_name" {
  description = "Make the shop's host name an alias of it."
  value       = aws_lb.main.dns_name
}

output "balancer_zone" {
  description = "The hosted zone that the alias needs."
  value       = aws_lb.main.zone_id
}

output "signing_keys_arn" {
  description = "The secret with the signing keys."
  value       = aws_secretsmanager_secret.signing_keys.arn
}

output "cluster_name" {
  value = aws_ecs_cluster.main.name
}

output "service_name" {
  value = aws_ecs_service.app.name
}
