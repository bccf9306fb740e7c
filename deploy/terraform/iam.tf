# A test compares policies/ with the calls that cloud-mirror makes.

locals {
  bucket_arns = [for bucket in aws_s3_bucket.mirror : bucket.arn]

  everywhere = {
    buckets    = jsonencode(local.bucket_arns)
    objects    = jsonencode([for arn in local.bucket_arns : "${arn}/*"])
    sources    = jsonencode(var.source_objects)
    queue      = jsonencode(aws_sqs_queue.requests.arn)
    dead_queue = jsonencode(aws_sqs_queue.dead.arn)
  }

  # A worker reaches the bucket of its region only.
  here = {
    for region, bucket in aws_s3_bucket.mirror : region => merge(local.everywhere, {
      buckets = jsonencode([bucket.arn])
      objects = jsonencode(["${bucket.arn}/*"])
    })
  }

  roles = merge(
    {
      frontend = { trust = ["services"], policies = ["frontend"], values = local.everywhere }
      bridge   = { trust = ["services"], policies = ["bridge"], values = local.everywhere }
      setup    = { trust = ["operators", "services"], policies = ["setup"], values = local.everywhere }
      operator = { trust = ["operators"], policies = ["operator"], values = local.everywhere }
    },
    {
      for region in keys(var.networks) : "worker-${region}" => {
        trust    = ["services"]
        policies = concat(["copier", "bridge"], length(var.source_objects) > 0 ? ["source"] : [])
        values   = local.here[region]
      }
    },
  )

  policies = merge([
    for role, of in local.roles : {
      for policy in of.policies : "${role}-${policy}" => { role = role, policy = policy, values = of.values }
    }
  ]...)
}

locals {
  principals = {
    services  = { type = "Service", identifiers = var.services }
    operators = { type = "AWS", identifiers = var.operators }
  }
}

# The chart runs setup with a service account, so its role trusts the services too.
data "aws_iam_policy_document" "trust" {
  for_each = local.roles

  dynamic "statement" {
    for_each = each.value.trust

    content {
      actions = ["sts:AssumeRole", "sts:TagSession"]

      principals {
        type        = local.principals[statement.value].type
        identifiers = local.principals[statement.value].identifiers
      }
    }
  }

  # Service accounts of a namespace, by IRSA.
  dynamic "statement" {
    for_each = { for provider, namespace in var.oidc_providers : provider => namespace if contains(each.value.trust, "services") }

    content {
      actions = ["sts:AssumeRoleWithWebIdentity"]

      principals {
        type        = "Federated"
        identifiers = [statement.key]
      }

      condition {
        test     = "StringEquals"
        variable = "${split(":oidc-provider/", statement.key)[1]}:aud"
        values   = ["sts.amazonaws.com"]
      }

      condition {
        test     = "StringLike"
        variable = "${split(":oidc-provider/", statement.key)[1]}:sub"
        values   = ["system:serviceaccount:${statement.value}:*"]
      }
    }
  }
}

resource "aws_iam_role" "mirror" {
  for_each = local.roles

  name               = "${var.name}-${each.key}"
  assume_role_policy = data.aws_iam_policy_document.trust[each.key].json
}

resource "aws_iam_role_policy" "mirror" {
  for_each = local.policies

  name   = each.value.policy
  role   = aws_iam_role.mirror[each.value.role].id
  policy = templatefile("${path.module}/policies/${each.value.policy}.json.tftpl", each.value.values)
}

resource "aws_iam_instance_profile" "mirror" {
  for_each = { for role, of in local.roles : role => of if contains(of.trust, "services") }

  name = "${var.name}-${each.key}"
  role = aws_iam_role.mirror[each.key].name
}
