package queue

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"golang.org/x/sync/errgroup"
)

// visibilityCalls is the limit of calls of changeVisibility at the same time.
const visibilityCalls = 8

// maxHold limits the time for which SQS hides a held message. A process that is killed delays its
// messages by it, while their clients wait.
const maxHold = 10 * time.Second

// hold returns the time for which SQS hides a held message.
func (r *Receiver) hold() time.Duration { return min(r.VisibilityTimeout, maxHold) }

// keepHidden extends the visibility timeouts of held messages until ctx is done. It leaves three
// tries for each of them.
func (r *Receiver) keepHidden(ctx context.Context, in *intake) {
	ticker := time.NewTicker(r.hold() / 4)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C: // Its time is old if the last calls were slow
			due := in.shownBefore(time.Now().Add(r.hold() * 3 / 4))
			r.changeVisibility(ctx, in, due, r.hold())
		}
	}
}

// giveBack has SQS show the held messages to other receivers at once. It ignores that ctx is done,
// as [Receiver.finish] does.
func (r *Receiver) giveBack(ctx context.Context, in *intake) {
	ctx, cancel := r.finish(ctx)
	defer cancel()
	r.changeVisibility(ctx, in, in.shownBefore(time.Now().Add(r.VisibilityTimeout+time.Second)), 0)
}

// changeVisibility sets the time, counted from now, for which SQS hides the messages. It reports
// errors.
func (r *Receiver) changeVisibility(ctx context.Context, in *intake, all []*message, timeout time.Duration) {
	var calls errgroup.Group
	calls.SetLimit(visibilityCalls)
	for batch := range slices.Chunk(all, batchSize) {
		calls.Go(func() error {
			if err := r.changeBatch(ctx, in, batch, timeout); err != nil && ctx.Err() == nil {
				r.Report("", Request{}, fmt.Errorf("change visibility in queue %s: %w", r.Queue.name, err))
			}
			return nil
		})
	}
	_ = calls.Wait() // The errors are reported.
}

// changeBatch makes one call of changeVisibility. A call that hangs ends soon enough for two others. A
// message that is handled meanwhile is no error.
func (r *Receiver) changeBatch(ctx context.Context, in *intake, batch []*message, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, min(r.Queue.timeout, r.hold()/4))
	defer cancel()
	url, err := r.Queue.url(ctx, r.Queue.name)
	if err != nil {
		return err
	}
	call := &sqs.ChangeMessageVisibilityBatchInput{QueueUrl: &url}
	for i, m := range batch {
		call.Entries = append(call.Entries, types.ChangeMessageVisibilityBatchRequestEntry{
			Id: aws.String(strconv.Itoa(i)), ReceiptHandle: m.ReceiptHandle, VisibilityTimeout: int32(timeout.Seconds()),
		})
	}
	start := time.Now()
	out, err := r.Queue.client.ChangeMessageVisibilityBatch(ctx, call)
	if err != nil {
		return err
	}
	for _, changed := range out.Successful {
		if i, err := strconv.Atoi(aws.ToString(changed.Id)); err == nil && i >= 0 && i < len(batch) {
			in.hide(batch[i], start.Add(timeout))
		}
	}
	for _, failed := range out.Failed {
		i, err := strconv.Atoi(aws.ToString(failed.Id))
		if err != nil || i < 0 || i >= len(batch) || in.holds(batch[i]) {
			return fmt.Errorf("%d of %d messages: %s", len(out.Failed), len(batch), aws.ToString(failed.Code))
		}
	}
	return nil
}
