package queue

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// LongPoll is how long a receive waits for messages. It and batchSize are the maxima of one receive:
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
const LongPoll = 20 * time.Second

// batchSize is the limit of messages of one receive.
const batchSize = 10

// finishTimeout bounds the last step of a message, which a stopping process waits for.
const finishTimeout = 5 * time.Second

// Outcome is the result of a message, for metrics.
type Outcome string

// The outcomes of a message.
const (
	Handled Outcome = "handled" // and deleted
	Failed  Outcome = "failed"  // left in the queue, to be redelivered
	Dead    Outcome = "dead"    // moved to the dead-letter queue
)

// RejectError is a handler's error for a request that no retry can help: its message goes to the
// dead-letter queue at once.
type RejectError struct{ Reason string }

func (e *RejectError) Error() string { return "rejected: " + e.Reason }

// Receiver receives requests and passes them to Handle. All fields are required.
type Receiver struct {
	Queue *Queue
	// VisibilityTimeout is how long a received message stays hidden from other receivers, in whole
	// seconds. The receiver extends it while Handle works.
	VisibilityTimeout time.Duration
	// Handle processes a request. It must be safe for concurrent use: the messages of a batch are
	// handled at the same time. On an error the message stays in the queue and is redelivered,
	// unless the error is a [*RejectError].
	Handle func(context.Context, Request) error
	// Received is called after each receive, with the time of its start and its error. An empty
	// receive is a success. A cancelled receive is not reported.
	Received func(start time.Time, err error)
	// Report receives the outcome of every message, and errors of the queue itself with an empty
	// outcome. It must be safe for concurrent use.
	Report func(Outcome, Request, error)
}

// Run receives until ctx is done. It returns after the handlers in flight have returned.
func (r *Receiver) Run(ctx context.Context) {
	for ctx.Err() == nil {
		start := time.Now()
		messages, err := r.receive(ctx)
		if ctx.Err() == nil {
			r.Received(start, err)
		}
		if err != nil {
			if ctx.Err() == nil {
				r.Report("", Request{}, err)
				sleep(ctx, time.Second)
			}
			continue
		}
		var batch sync.WaitGroup
		for _, m := range messages {
			batch.Go(func() { r.process(ctx, m) })
		}
		batch.Wait()
	}
}

// receive waits for messages. Its deadline ends a receive that SQS accepts and never answers.
func (r *Receiver) receive(ctx context.Context) ([]types.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, r.Queue.longPoll+r.Queue.timeout)
	defer cancel()
	url, err := r.Queue.url(ctx, r.Queue.name)
	if err != nil {
		return nil, err
	}
	out, err := r.Queue.client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl:            &url,
		MaxNumberOfMessages: batchSize,
		WaitTimeSeconds:     int32(r.Queue.longPoll.Seconds()),
		VisibilityTimeout:   int32(r.VisibilityTimeout.Seconds()),
	})
	if err != nil {
		return nil, fmt.Errorf("receive from queue %s: %w", r.Queue.name, err)
	}
	return out.Messages, nil
}

func (r *Receiver) process(ctx context.Context, m types.Message) {
	req, err := Decode(aws.ToString(m.Body))
	if err != nil {
		r.deadLetter(ctx, m, req, err.Error())
		return
	}
	err = r.handle(ctx, m, req)
	if reject, ok := errors.AsType[*RejectError](err); ok {
		r.deadLetter(ctx, m, req, reject.Reason)
		return
	}
	if err != nil {
		r.Report(Failed, req, err)
		return
	}
	r.Report(Handled, req, r.delete(ctx, m))
}

// handle calls Handle and extends the visibility timeout of the message meanwhile.
func (r *Receiver) handle(ctx context.Context, m types.Message, req Request) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		for {
			if sleep(ctx, r.VisibilityTimeout/2); ctx.Err() != nil {
				return
			}
			r.extend(ctx, m)
		}
	}()
	return r.Handle(ctx, req)
}

func (r *Receiver) extend(ctx context.Context, m types.Message) {
	call, cancel := context.WithTimeout(ctx, r.Queue.timeout)
	defer cancel()
	url, err := r.Queue.url(call, r.Queue.name)
	if err == nil {
		_, err = r.Queue.client.ChangeMessageVisibility(call, &sqs.ChangeMessageVisibilityInput{
			QueueUrl:          &url,
			ReceiptHandle:     m.ReceiptHandle,
			VisibilityTimeout: int32(r.VisibilityTimeout.Seconds()),
		})
	}
	if err != nil && ctx.Err() == nil {
		r.Report("", Request{}, fmt.Errorf("extend visibility in queue %s: %w", r.Queue.name, err))
	}
}

// delete removes the message from the queue. If it fails, the message is redelivered and handled
// again.
func (r *Receiver) delete(ctx context.Context, m types.Message) error {
	ctx, cancel := r.finish(ctx)
	defer cancel()
	url, err := r.Queue.url(ctx, r.Queue.name)
	if err != nil {
		return err
	}
	_, err = r.Queue.client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: m.ReceiptHandle})
	if err != nil {
		return fmt.Errorf("delete from queue %s: %w", r.Queue.name, err)
	}
	return nil
}

// finish returns a context for the last step of a message. It ignores ctx's cancellation: if a
// stopping receiver left the step half done, the message would be handled again.
func (r *Receiver) finish(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), min(r.Queue.timeout, finishTimeout))
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
