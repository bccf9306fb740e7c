variable "name" {
  description = "Name of the deployment. The queue has it, and names of roles and networks begin with it."
  type        = string
  default     = "cloud-mirror"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,31}$", var.name))
    error_message = "name must be 1 to 32 lower-case letters, digits and hyphens, and begin with a letter."
  }
}

variable "bucket_base" {
  description = "Buckets are named BUCKET_BASE-REGION (s3.bucket_base)."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{2,45}$", var.bucket_base))
    error_message = "bucket_base must be 3 to 46 lower-case letters, digits and hyphens, and begin with a letter or digit."
  }
}

variable "networks" {
  description = "The VPC of the clients and workers of each region with a pool, and the route tables of its subnets. Set s3_endpoint to false if these already lead to a gateway endpoint of S3. The security groups for monitoring may reach the admin listeners: those of Prometheus, and of people who read the page of a worker."
  type = map(object({
    vpc_id                        = string
    route_table_ids               = list(string)
    s3_endpoint                   = optional(bool, true)
    monitoring_security_group_ids = optional(list(string), [])
  }))

  validation {
    condition     = length(var.networks) > 0
    error_message = "networks must have at least one region."
  }

  validation {
    condition     = alltrue([for region in keys(var.networks) : can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", region))])
    error_message = "The keys of networks must be regions, such as us-west-2."
  }
}

variable "region" {
  description = "Region of the front ends, redis and the queue. It must be one of networks, and that of the provider."
  type        = string

  validation {
    condition     = contains(keys(var.networks), var.region)
    error_message = "region must be a key of networks."
  }
}

variable "redis_subnet_ids" {
  description = "Subnets of redis, in the VPC of region and in two availability zones at least."
  type        = list(string)

  validation {
    condition     = length(var.redis_subnet_ids) >= 2
    error_message = "redis_subnet_ids must have two subnets at least, for the failover."
  }
}

variable "redis_client_cidrs" {
  description = "Address ranges of workers in other regions, which reach redis by a peering or a transit gateway."
  type        = list(string)
  default     = []
}

variable "redis_node_type" {
  description = "Size of redis. CAPACITY.md says how much memory an object takes."
  type        = string
  default     = "cache.t4g.small"
}

variable "redis_auth_token" {
  description = "Password of redis."
  type        = string
  sensitive   = true

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{32,128}$", var.redis_auth_token))
    error_message = "redis_auth_token must be 32 to 128 letters, digits, hyphens and underscores."
  }
}

variable "load_balancer_security_group_ids" {
  description = "Security groups that may reach the front ends."
  type        = list(string)
  default     = []
}

variable "frontend_port" {
  description = "Port of frontend.listen."
  type        = number
  default     = 8080

  validation {
    condition     = var.frontend_port >= 1024 && var.frontend_port <= 65535
    error_message = "frontend_port must be 1024 to 65535: front ends do not run as root."
  }
}

variable "frontend_admin_port" {
  description = "Port of frontend.admin_listen, where load balancers read /readyz."
  type        = number
  default     = 8081

  validation {
    condition     = var.frontend_admin_port >= 1024 && var.frontend_admin_port <= 65535 && var.frontend_admin_port != var.frontend_port
    error_message = "frontend_admin_port must be 1024 to 65535, and not frontend_port."
  }
}

variable "worker_admin_port" {
  description = "Port of worker.admin_listen, where Prometheus reads /metrics."
  type        = number
  default     = 8082

  validation {
    condition     = var.worker_admin_port >= 1024 && var.worker_admin_port <= 65535
    error_message = "worker_admin_port must be 1024 to 65535: workers do not run as root."
  }
}

variable "lifespan_days" {
  description = "Days after which a bucket deletes a copy (s3.lifespan_days); 0 keeps copies."
  type        = number
  default     = 30

  validation {
    condition     = var.lifespan_days >= 0 && floor(var.lifespan_days) == var.lifespan_days
    error_message = "lifespan_days must be a whole number, and not negative."
  }
}

variable "cors" {
  description = "Let scripts of every site read copies (s3.cors)."
  type        = bool
  default     = true
}

variable "source_objects" {
  description = "ARNs of objects that S3 is to copy by itself, such as arn:aws:s3:::artifacts/*."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.source_objects : can(regex("^arn:[a-z-]+:s3:::[^/]+/.+$", arn))])
    error_message = "source_objects must be ARNs of objects, such as arn:aws:s3:::artifacts/*."
  }
}

variable "services" {
  description = "Services of AWS that run front ends, workers and setup, such as ec2.amazonaws.com or pods.eks.amazonaws.com (EKS Pod Identity)."
  type        = list(string)
  default     = ["ec2.amazonaws.com"]
}

variable "oidc_providers" {
  description = "For IRSA: the ARN of each cluster's OIDC provider, and the namespace whose service accounts may assume the roles, except that of operators."
  type        = map(string)
  default     = {}

  validation {
    condition = alltrue([
      for provider, namespace in var.oidc_providers :
      can(regex("^arn:[a-z-]+:iam::[0-9]{12}:oidc-provider/.+$", provider)) && can(regex("^[a-z0-9-]+$", namespace))
    ])
    error_message = "oidc_providers must map ARNs of OIDC providers to namespaces."
  }
}

variable "operators" {
  description = "ARNs of users or roles that may assume the roles of setup and of operators."
  type        = list(string)

  validation {
    condition     = length(var.operators) > 0 && alltrue([for arn in var.operators : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:", arn))])
    error_message = "operators must be ARNs of users or roles, at least one."
  }
}
