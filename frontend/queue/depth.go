package queue

import (
	"context"
	"fmt"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// Depth is about how many messages a queue has. SQS counts approximately, and late.
type Depth struct {
	Visible int64 // Wait for a receiver
	Hidden  int64 // Received and not deleted
}

// Depths returns the depth of the queue and that of its dead-letter queue. It needs the permission
// sqs:GetQueueAttributes.
func (q *Queue) Depths(ctx context.Context) (requests, dead Depth, err error) {
	if requests, err = q.depth(ctx, q.name); err != nil {
		return requests, dead, err
	}
	dead, err = q.depth(ctx, q.name+deadSuffix)
	return requests, dead, err
}

func (q *Queue) depth(ctx context.Context, name string) (d Depth, err error) {
	ctx, cancel := context.WithTimeout(ctx, q.timeout)
	defer cancel()
	const visible, hidden = types.QueueAttributeNameApproximateNumberOfMessages, types.QueueAttributeNameApproximateNumberOfMessagesNotVisible
	attrs, err := q.attributes(ctx, name, string(visible), string(hidden))
	if err != nil {
		return d, err
	}
	for attribute, to := range map[types.QueueAttributeName]*int64{visible: &d.Visible, hidden: &d.Hidden} {
		if *to, err = strconv.ParseInt(attrs[string(attribute)], 10, 64); err != nil {
			return d, fmt.Errorf("attributes of queue %s: %s is no number", name, attribute)
		}
	}
	return d, nil
}
