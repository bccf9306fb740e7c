package queue

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"

	"github.com/aws/smithy-go"
)

// group returns the request's MessageGroupId: a hash of its source's host. SQS delivers messages of
// groups with few messages before those of a group that has many in flight:
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues-detailed.html
// Requests that no client waits for have a group of their own for each host. A host may be longer
// than the 128 characters of a group.
func group(r Request) string {
	sum := sha256.Sum256([]byte(r.host()))
	id := hex.EncodeToString(sum[:16])
	if r.low() {
		id += "-low"
	}
	return id
}

// refusesGroups reports whether a server refused a message because of its group. SQS did so for
// standard queues before July 2025, and other servers may still.
func refusesGroups(err error) bool {
	refusal, ok := errors.AsType[smithy.APIError](err)
	return ok && strings.Contains(refusal.ErrorMessage(), "MessageGroupId")
}
