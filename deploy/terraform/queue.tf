# The attributes are those of `cloud-mirror setup`, which leaves them alone.

resource "aws_sqs_queue" "dead" {
  region                    = var.region
  name                      = "${var.name}_dead"
  message_retention_seconds = 14 * 24 * 60 * 60
}

resource "aws_sqs_queue" "requests" {
  region                     = var.region
  name                       = var.name
  visibility_timeout_seconds = local.visibility_timeout_seconds
  receive_wait_time_seconds  = 20

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead.arn
    maxReceiveCount     = local.max_receives
  })
}

locals {
  visibility_timeout_seconds = 30
  max_receives               = 10
}
