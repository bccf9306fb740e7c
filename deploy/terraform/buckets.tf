# The rules are those of `cloud-mirror setup`, which leaves them alone.

resource "aws_s3_bucket" "mirror" {
  for_each = var.networks

  region = each.key
  bucket = "${var.bucket_base}-${each.key}"
}

resource "aws_s3_bucket_public_access_block" "mirror" {
  for_each = aws_s3_bucket.mirror

  region                  = each.key
  bucket                  = each.value.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

# A new bucket has no versions. A version of a purged copy would stay readable and cost storage.
resource "aws_s3_bucket_versioning" "mirror" {
  for_each = aws_s3_bucket.mirror

  region = each.key
  bucket = each.value.id

  versioning_configuration {
    status = "Disabled"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "mirror" {
  for_each = aws_s3_bucket.mirror

  region = each.key
  bucket = each.value.id

  dynamic "rule" {
    for_each = var.lifespan_days > 0 ? [var.lifespan_days] : []

    content {
      id     = "cloud-mirror-expire"
      status = "Enabled"

      filter {
        prefix = ""
      }

      expiration {
        days = rule.value
      }
    }
  }

  rule {
    id     = "cloud-mirror-abort-incomplete-uploads"
    status = "Enabled"

    filter {
      prefix = ""
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }
}

resource "aws_s3_bucket_cors_configuration" "mirror" {
  for_each = { for region, bucket in aws_s3_bucket.mirror : region => bucket.id if var.cors }

  region = each.key
  bucket = each.value

  cors_rule {
    id              = "cloud-mirror-read"
    allowed_methods = ["GET", "HEAD"]
    allowed_origins = ["*"]
    allowed_headers = ["*"]
    expose_headers  = ["Accept-Ranges", "Content-Disposition", "Content-Encoding", "Content-Length", "Content-Range", "ETag"]
    max_age_seconds = 7200
  }
}
