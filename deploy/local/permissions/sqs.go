package permissions

import (
	"encoding/json"
	"fmt"
	"path"
	"strings"
)

// sqsCall returns the call that a request of the AWS JSON protocol makes. Its target is the header
// X-Amz-Target. IAM has one action for a call and its batch
// (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-api-permissions-reference.html).
func sqsCall(target string, body []byte) (Call, error) {
	operation, ok := strings.CutPrefix(target, "AmazonSQS.")
	var in struct {
		QueueURL  string `json:"QueueUrl"`
		QueueName string `json:"QueueName"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return Call{}, fmt.Errorf("call %q of SQS: %w", target, err)
	}
	queue := in.QueueName
	if queue == "" {
		queue = path.Base(in.QueueURL)
	}
	if !ok || queue == "." {
		return Call{}, fmt.Errorf("call %q of SQS names no queue", target)
	}
	return Call{operation, []Access{{"sqs:" + strings.TrimSuffix(operation, "Batch"), queue}}}, nil
}
