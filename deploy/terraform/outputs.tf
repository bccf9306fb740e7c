output "settings" {
  description = "Settings of cloud-mirror.yaml. JSON is YAML: terraform output -json settings."
  value = {
    frontend = {
      listen       = "0.0.0.0:${var.frontend_port}"
      admin_listen = "0.0.0.0:${var.frontend_admin_port}"
    }
    worker = {
      admin_listen = "0.0.0.0:${var.worker_admin_port}"
    }
    sqs = {
      queue              = aws_sqs_queue.requests.name
      region             = var.region
      visibility_timeout = "${local.visibility_timeout_seconds}s"
      max_receives       = local.max_receives
    }
    s3 = {
      bucket_base   = var.bucket_base
      bucket_owner  = data.aws_caller_identity.current.account_id
      lifespan_days = var.lifespan_days
      cors          = var.cors
    }
    pools = [for region in keys(var.networks) : { region = region }]
  }
}

output "redis_url" {
  description = "CLOUD_MIRROR_REDIS_URL, a secret."
  sensitive   = true
  value       = "rediss://:${var.redis_auth_token}@${aws_elasticache_replication_group.redis.primary_endpoint_address}:${local.redis_port}/0"
}

output "role_arns" {
  description = "Roles: frontend, worker-REGION, bridge, setup and operator."
  value       = { for name, role in aws_iam_role.mirror : name => role.arn }
}

output "security_group_ids" {
  description = "Security groups of front ends, and of the workers of each region."
  value = merge(
    { frontend = aws_security_group.frontend.id },
    { for region, group in aws_security_group.worker : "worker-${region}" => group.id },
  )
}
