package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// deadTimeout is how long a dead letter that was taken stays hidden from others, unless it is
// released. To redrive a thousand takes a minute or two.
const deadTimeout = 5 * time.Minute

// deadMargin is the time of a redrive within deadTimeout.
const deadMargin = 30 * time.Second

// deadWait is how long a receive waits for a dead letter. Without any wait, SQS asks only some of
// its servers.
const deadWait = time.Second

// DeadLetter is a message in the dead-letter queue.
type DeadLetter struct {
	ID   string    // The message's id in SQS
	Sent time.Time // When it was moved there; zero is unknown
	// Reason is why it was moved there. It is empty if SQS moved it, after sqs.max_receives.
	Reason  string
	Body    string
	Length  int64 // Of the original body, in bytes. A longer one was cut.
	Request Request
	Invalid error // Why the body is no request, or nil

	receipt string
	until   time.Time // When SQS shows it to others, at the earliest
}

// Cut reports whether Body is not the original one.
func (d DeadLetter) Cut() bool { return d.Length != int64(len(d.Body)) }

func newDeadLetter(m types.Message) DeadLetter {
	d := DeadLetter{ID: aws.ToString(m.MessageId), Body: aws.ToString(m.Body), receipt: aws.ToString(m.ReceiptHandle)}
	d.Reason = aws.ToString(m.MessageAttributes[reasonAttribute].StringValue)
	d.Length = int64(len(d.Body))
	if n, err := strconv.ParseInt(aws.ToString(m.MessageAttributes[lengthAttribute].StringValue), 10, 64); err == nil {
		d.Length = n
	}
	if ms, err := strconv.ParseInt(m.Attributes[string(types.MessageSystemAttributeNameSentTimestamp)], 10, 64); err == nil {
		d.Sent = time.UnixMilli(ms)
	}
	d.Request, d.Invalid = Decode(d.Body)
	return d
}

// TakeDead returns up to limit dead letters, in no order. SQS hides them from others for five
// minutes. The caller then releases those that it has not redriven. It also returns the letters that
// it took before an error.
func (q *Queue) TakeDead(ctx context.Context, limit int) (all []DeadLetter, err error) {
	name := q.name + deadSuffix
	url, err := q.url(ctx, name)
	if err != nil {
		return nil, err
	}
	seen := map[string]int{} // By id. SQS may deliver a message twice.
	// The first letters must still be hidden when the caller redrives them.
	for start := time.Now(); len(all) < limit && time.Since(start) < deadTimeout/2; {
		until := time.Now().Add(deadTimeout)
		batch, err := q.receiveDead(ctx, url, min(limit-len(all), batchSize))
		if err != nil {
			return all, fmt.Errorf("receive from queue %s: %w", name, err)
		}
		if len(batch) == 0 {
			return all, nil
		}
		for _, m := range batch {
			d := newDeadLetter(m)
			d.until = until
			if i, again := seen[d.ID]; again {
				all[i] = d // Only the latest receipt deletes it.
				continue
			}
			seen[d.ID] = len(all)
			all = append(all, d)
		}
	}
	return all, nil
}

func (q *Queue) receiveDead(ctx context.Context, url string, n int) ([]types.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, deadWait+q.timeout)
	defer cancel()
	out, err := q.client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl:                    &url,
		MaxNumberOfMessages:         int32(n), //nolint:gosec // batchSize at most
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameSentTimestamp},
		MessageAttributeNames:       []string{"All"},
		VisibilityTimeout:           int32(deadTimeout.Seconds()),
		WaitTimeSeconds:             int32(deadWait.Seconds()),
	})
	if err != nil {
		return nil, err
	}
	return out.Messages, nil
}

// ReleaseDead has SQS show the dead letters to others at once.
func (q *Queue) ReleaseDead(ctx context.Context, all []DeadLetter) error {
	name := q.name + deadSuffix
	url, err := q.url(ctx, name)
	if err != nil {
		return err
	}
	var failed []error
	for batch := range slices.Chunk(all, batchSize) {
		in := &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: &url}
		for i, d := range batch {
			in.Entries = append(in.Entries, types.ChangeMessageVisibilityBatchRequestEntry{
				Id: aws.String(strconv.Itoa(i)), ReceiptHandle: aws.String(d.receipt),
			})
		}
		if err := q.releaseDead(ctx, in); err != nil {
			failed = append(failed, fmt.Errorf("release letters of queue %s: %w", name, err))
		}
	}
	return errors.Join(failed...)
}

func (q *Queue) releaseDead(ctx context.Context, in *sqs.ChangeMessageVisibilityBatchInput) error {
	ctx, cancel := context.WithTimeout(ctx, q.timeout)
	defer cancel()
	out, err := q.client.ChangeMessageVisibilityBatch(ctx, in)
	if err == nil && len(out.Failed) > 0 {
		err = fmt.Errorf("%d of %d failed: %s", len(out.Failed), len(in.Entries), aws.ToString(out.Failed[0].Code))
	}
	return err
}

// Redrive sends the request of a dead letter again, and then deletes the letter. If the deletion
// fails, the request is in both queues, which does no harm. A letter that is no request is an
// error: it would only come back.
func (q *Queue) Redrive(ctx context.Context, d DeadLetter) error {
	if d.Invalid != nil {
		return fmt.Errorf("it is no copy request: %w", d.Invalid)
	}
	if time.Until(d.until) < deadMargin {
		return errors.New("the command took so long that others may have the letter: list again")
	}
	if err := q.Send(ctx, d.Request); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, q.timeout)
	defer cancel()
	url, err := q.url(ctx, q.name+deadSuffix)
	if err != nil {
		return err
	}
	if _, err := q.client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: &d.receipt}); err != nil {
		return fmt.Errorf("delete from queue %s%s: %w", q.name, deadSuffix, err)
	}
	return nil
}
