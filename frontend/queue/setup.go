package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// deadRetention is how long SQS keeps dead letters. It is SQS's maximum:
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
const deadRetention = 14 * 24 * time.Hour

// Setup creates the queue and its dead-letter queue, or sets those of their attributes that differ.
// It returns a line about each queue, for people to read. A message goes to the dead-letter queue
// after maxReceives receives. With dryRun, Setup changes nothing and returns the changes that it
// would make.
func (q *Queue) Setup(ctx context.Context, visibility time.Duration, maxReceives int, dryRun bool) ([]string, error) {
	dead := q.name + deadSuffix
	steps, err := q.ensure(ctx, dead, map[string]string{
		"MessageRetentionPeriod": strconv.Itoa(int(deadRetention.Seconds())),
	}, dryRun)
	if err != nil {
		return steps, err
	}
	want := map[string]string{
		"VisibilityTimeout":             strconv.Itoa(int(visibility.Seconds())),
		"ReceiveMessageWaitTimeSeconds": strconv.Itoa(int(LongPoll.Seconds())),
	}
	arn, err := q.arn(ctx, dead)
	switch {
	case err != nil && dryRun:
		want["RedrivePolicy"] = "to a queue that does not exist yet"
	case err == nil:
		policy, err := json.Marshal(map[string]any{"deadLetterTargetArn": arn, "maxReceiveCount": maxReceives})
		if err != nil {
			return steps, fmt.Errorf("redrive policy: %w", err)
		}
		want["RedrivePolicy"] = string(policy)
	default:
		return steps, err
	}
	more, err := q.ensure(ctx, q.name, want, dryRun)
	return append(steps, more...), err
}

// ensure creates one queue, or sets those of its attributes that differ.
func (q *Queue) ensure(ctx context.Context, name string, want map[string]string, dryRun bool) ([]string, error) {
	title := "queue " + name
	have, err := q.attributes(ctx, name, slices.Collect(maps.Keys(want))...)
	var missing *types.QueueDoesNotExist
	switch {
	case errors.As(err, &missing) && dryRun:
		return []string{title + ": would create it"}, nil
	case errors.As(err, &missing):
		if _, err := q.client.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: &name, Attributes: want}); err != nil {
			return nil, fmt.Errorf("create %s: %w", title, err)
		}
		return []string{title + ": created"}, nil
	case err != nil:
		return nil, fmt.Errorf("%s: %w", title, err)
	}

	changed := map[string]string{}
	for k, v := range want {
		if !sameAttribute(have[k], v) {
			changed[k] = v
		}
	}
	names := slices.Sorted(maps.Keys(changed))
	switch {
	case len(changed) == 0:
		return []string{title + ": exists as configured"}, nil
	case dryRun:
		return []string{fmt.Sprintf("%s: would set %v", title, names)}, nil
	}
	url, err := q.resolveURL(ctx, name)
	if err != nil {
		return nil, err
	}
	in := &sqs.SetQueueAttributesInput{QueueUrl: &url, Attributes: changed}
	if _, err := q.client.SetQueueAttributes(ctx, in); err != nil {
		return nil, fmt.Errorf("set attributes of %s: %w", title, err)
	}
	return []string{fmt.Sprintf("%s: set %v", title, names)}, nil
}

func (q *Queue) attributes(ctx context.Context, name string, attrs ...string) (map[string]string, error) {
	url, err := q.resolveURL(ctx, name)
	if err != nil {
		return nil, err
	}
	in := &sqs.GetQueueAttributesInput{QueueUrl: &url}
	for _, a := range attrs {
		in.AttributeNames = append(in.AttributeNames, types.QueueAttributeName(a))
	}
	out, err := q.client.GetQueueAttributes(ctx, in)
	if err != nil {
		return nil, fmt.Errorf("attributes of queue %s: %w", name, err)
	}
	return out.Attributes, nil
}

func (q *Queue) arn(ctx context.Context, name string) (string, error) {
	attrs, err := q.attributes(ctx, name, "QueueArn")
	return attrs["QueueArn"], err
}

// sameAttribute compares policies as JSON, since SQS returns them in another form.
func sameAttribute(a, b string) bool {
	if a == b {
		return true
	}
	var av, bv map[string]any
	if json.Unmarshal([]byte(a), &av) != nil || json.Unmarshal([]byte(b), &bv) != nil {
		return false
	}
	return fmt.Sprint(av) == fmt.Sprint(bv)
}
