# Copies reach workers and clients without a NAT gateway.
resource "aws_vpc_endpoint" "s3" {
  for_each = { for region, network in var.networks : region => network if network.s3_endpoint }

  region            = each.key
  vpc_id            = each.value.vpc_id
  service_name      = "com.amazonaws.${each.key}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = each.value.route_table_ids
}

resource "aws_security_group" "frontend" {
  region      = var.region
  name        = "${var.name}-frontend"
  description = "Front ends of ${var.name}"
  vpc_id      = var.networks[var.region].vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "frontend" {
  for_each = {
    for pair in setproduct(var.load_balancer_security_group_ids, [var.frontend_port, var.frontend_admin_port]) :
    "${pair[0]}-${pair[1]}" => { group = pair[0], port = pair[1] }
  }

  region                       = var.region
  security_group_id            = aws_security_group.frontend.id
  referenced_security_group_id = each.value.group
  ip_protocol                  = "tcp"
  from_port                    = each.value.port
  to_port                      = each.value.port
}

# Only monitoring, and other workers' pages for people, connect to a worker.
resource "aws_security_group" "worker" {
  for_each = var.networks

  region      = each.key
  name        = "${var.name}-worker"
  description = "Workers of ${var.name}"
  vpc_id      = each.value.vpc_id
}

# Prometheus scrapes front ends and workers.
resource "aws_vpc_security_group_ingress_rule" "frontend_monitoring" {
  for_each = { for group in var.networks[var.region].monitoring_security_group_ids : group => group }

  region                       = var.region
  security_group_id            = aws_security_group.frontend.id
  referenced_security_group_id = each.key
  ip_protocol                  = "tcp"
  from_port                    = var.frontend_admin_port
  to_port                      = var.frontend_admin_port
}

resource "aws_vpc_security_group_ingress_rule" "worker_monitoring" {
  for_each = {
    for pair in flatten([
      for region, network in var.networks : [
        for group in network.monitoring_security_group_ids : { region = region, group = group }
      ]
    ]) : "${pair.region}-${pair.group}" => pair
  }

  region                       = each.value.region
  security_group_id            = aws_security_group.worker[each.value.region].id
  referenced_security_group_id = each.value.group
  ip_protocol                  = "tcp"
  from_port                    = var.worker_admin_port
  to_port                      = var.worker_admin_port
}

# The page for people of a worker reads the metrics of the front ends, and of the workers beside it.
resource "aws_vpc_security_group_ingress_rule" "frontend_page" {
  region                       = var.region
  security_group_id            = aws_security_group.frontend.id
  referenced_security_group_id = aws_security_group.worker[var.region].id
  ip_protocol                  = "tcp"
  from_port                    = var.frontend_admin_port
  to_port                      = var.frontend_admin_port
}

resource "aws_vpc_security_group_ingress_rule" "worker_page" {
  for_each = aws_security_group.worker

  region                       = each.key
  security_group_id            = each.value.id
  referenced_security_group_id = each.value.id
  ip_protocol                  = "tcp"
  from_port                    = var.worker_admin_port
  to_port                      = var.worker_admin_port
}

# Sources may be anywhere. The product refuses private addresses by itself.
resource "aws_vpc_security_group_egress_rule" "frontend" {
  region            = var.region
  security_group_id = aws_security_group.frontend.id
  ip_protocol       = "-1"
  cidr_ipv4         = "0.0.0.0/0"
}

resource "aws_vpc_security_group_egress_rule" "worker" {
  for_each = aws_security_group.worker

  region            = each.key
  security_group_id = each.value.id
  ip_protocol       = "-1"
  cidr_ipv4         = "0.0.0.0/0"
}

resource "aws_security_group" "redis" {
  region      = var.region
  name        = "${var.name}-redis"
  description = "Redis of ${var.name}"
  vpc_id      = var.networks[var.region].vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "redis" {
  for_each = {
    frontend = aws_security_group.frontend.id
    worker   = aws_security_group.worker[var.region].id
  }

  region                       = var.region
  security_group_id            = aws_security_group.redis.id
  referenced_security_group_id = each.value
  ip_protocol                  = "tcp"
  from_port                    = local.redis_port
  to_port                      = local.redis_port
}

resource "aws_vpc_security_group_ingress_rule" "redis_elsewhere" {
  for_each = toset(var.redis_client_cidrs)

  region            = var.region
  security_group_id = aws_security_group.redis.id
  cidr_ipv4         = each.key
  ip_protocol       = "tcp"
  from_port         = local.redis_port
  to_port           = local.redis_port
}
