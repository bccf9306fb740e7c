terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.0, < 7.0"
    }
  }
}

provider "aws" {
  region = "us-west-2"
}

variable "redis_auth_token" {
  description = "Password of redis, as TF_VAR_redis_auth_token."
  type        = string
  sensitive   = true
}

module "cloud_mirror" {
  source = "../"

  bucket_base      = "example-mirror"
  region           = "us-west-2"
  redis_auth_token = var.redis_auth_token
  redis_subnet_ids = ["subnet-0a1b2c3d4e5f60001", "subnet-0a1b2c3d4e5f60002"]
  operators        = ["arn:aws:iam::123456789012:role/operators"]

  networks = {
    us-west-2 = {
      vpc_id                        = "vpc-0a1b2c3d4e5f60001"
      route_table_ids               = ["rtb-0a1b2c3d4e5f60001"]
      monitoring_security_group_ids = ["sg-0a1b2c3d4e5f60002"] # of Prometheus
    }
    us-east-1 = {
      vpc_id          = "vpc-0a1b2c3d4e5f60002"
      route_table_ids = ["rtb-0a1b2c3d4e5f60002"]
    }
  }

  redis_client_cidrs               = ["10.20.0.0/16"] # of the workers in us-east-1
  load_balancer_security_group_ids = ["sg-0a1b2c3d4e5f60001"]
}

output "settings" {
  value = module.cloud_mirror.settings
}

output "redis_url" {
  value     = module.cloud_mirror.redis_url
  sensitive = true
}

output "role_arns" {
  value = module.cloud_mirror.role_arns
}

output "security_group_ids" {
  value = module.cloud_mirror.security_group_ids
}
