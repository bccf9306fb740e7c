locals {
  redis_port = 6379
}

resource "aws_elasticache_subnet_group" "redis" {
  region     = var.region
  name       = var.name
  subnet_ids = var.redis_subnet_ids
}

# REDIS.md says why: a full redis must not evict purges first.
resource "aws_elasticache_parameter_group" "redis" {
  region = var.region
  name   = var.name
  family = "redis7"

  parameter {
    name  = "maxmemory-policy"
    value = "volatile-ttl"
  }
}

# A master and a replica behind one name. A purge waits for the replica.
resource "aws_elasticache_replication_group" "redis" {
  region                     = var.region
  replication_group_id       = var.name
  description                = "Cache of ${var.name}"
  engine                     = "redis"
  engine_version             = "7.1"
  node_type                  = var.redis_node_type
  port                       = local.redis_port
  num_cache_clusters         = 2
  automatic_failover_enabled = true
  multi_az_enabled           = true
  at_rest_encryption_enabled = true
  transit_encryption_enabled = true
  auth_token                 = var.redis_auth_token
  parameter_group_name       = aws_elasticache_parameter_group.redis.name
  subnet_group_name          = aws_elasticache_subnet_group.redis.name
  security_group_ids         = [aws_security_group.redis.id]
}
