package queue

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// LongPoll is how long a receive waits for messages. It and batchSize are the maxima of one
// receive:
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
const LongPoll = 20 * time.Second

// batchSize is the limit of messages of one receive.
const batchSize = 10

// finishTimeout bounds the last step of a message, which a stopping process waits for.
const finishTimeout = 5 * time.Second

// maxHandling is how long Handle keeps a request in flight. One that takes longer may wait for
// ever, and must not hold up others behind a small window.
const maxHandling = 2 * time.Second

// Outcome is the result of a message, for metrics.
type Outcome string

// The outcomes of a message.
const (
	Handled Outcome = "handled" // and deleted
	Failed  Outcome = "failed"  // left in the queue, to be redelivered
	Dead    Outcome = "dead"    // moved to the dead-letter queue
)

// Outcomes returns all outcomes of a message.
func Outcomes() []Outcome { return []Outcome{Handled, Failed, Dead} }

// errLate is the error of a message that SQS has shown to other receivers before its turn.
var errLate = errors.New("not handled before its visibility timeout, which could not be extended")

// RejectError is a handler's error for a request that no retry can help: its message goes to the
// dead-letter queue at once.
type RejectError struct{ Reason string }

func (e *RejectError) Error() string { return "rejected: " + e.Reason }

// Receiver receives requests and passes them to Handle. All fields are required, except Window, Ended
// and Oldest.
type Receiver struct {
	Queue *Queue
	// Receivers is the number of receives that run at the same time. The receiver handles ten
	// messages at the same time for each of them: the most that one receive returns.
	Receivers int
	// Intake is the limit of received messages that wait for Handle, at least 10.
	Intake int
	// VisibilityTimeout is how long SQS hides a message that Handle could not handle, in whole seconds. A
	// message that the receiver holds is hidden for 10 s at most, and again before that time ends.
	VisibilityTimeout time.Duration
	// Handle processes a request. Its context has the trace of the message, if there is one. It must be
	// safe for concurrent use. On an error the message stays in the queue and is redelivered, unless
	// the error is a [*RejectError].
	Handle func(context.Context, Request) error
	// Window returns how many requests may be in flight now, at least 1. Twice as many may be if
	// they are of hosts that have none in flight. A full intake overrules it, and a request leaves
	// it after 2 s in Handle. Purges need no room. Nil is no limit. It must not block.
	Window func() int
	// Ended is called after Handle, and waits for the end of the request's flight. Nil means that
	// requests end with Handle. It must be safe for concurrent use.
	Ended func(context.Context, Request)
	// Received is called after each receive, with the time of its start and its error. An empty
	// receive is a success. A cancelled receive is not reported. It must be safe for concurrent
	// use.
	Received func(start time.Time, err error)
	// Oldest receives after each receive how long its oldest message had been in the queue, and 0
	// without a message. It must be safe for concurrent use.
	Oldest func(age time.Duration)
	// Held receives the number of messages that the receiver holds, after each change. It must not
	// block.
	Held func(int)
	// Report receives the outcome of every message, and errors of the queue itself with an empty
	// outcome. It must be safe for concurrent use.
	Report func(Outcome, Request, error)

	intake atomic.Pointer[intake] // Nil before Run
}

// Run receives until ctx is done. It returns after the handlers in flight have returned, and after
// the other messages were given back to SQS.
func (r *Receiver) Run(ctx context.Context) {
	in := newIntake(r.Intake, r.Window, r.Held)
	defer context.AfterFunc(ctx, in.close)()
	r.intake.Store(in)
	var running sync.WaitGroup
	running.Go(func() { r.keepHidden(ctx, in) })
	for range r.Receivers {
		running.Go(func() { r.receiveAll(ctx, in) })
	}
	for range r.Receivers * batchSize {
		running.Go(func() { r.handleAll(ctx, in) })
	}
	running.Wait()
	r.giveBack(ctx, in)
}

// Waiting returns the number of a pool's messages that wait for Handle, and the age of the oldest of
// them that a client waits for, since it was sent. It is safe for concurrent use.
func (r *Receiver) Waiting(pool string) (messages int64, age time.Duration) {
	in := r.intake.Load()
	if in == nil {
		return 0, 0
	}
	return in.backlog(pool, time.Now())
}

// receiveAll receives while the intake has room.
func (r *Receiver) receiveAll(ctx context.Context, in *intake) {
	for n := in.reserve(); n > 0; n = in.reserve() {
		start := time.Now()
		messages, err := r.receive(ctx, n)
		until := time.Now().Add(r.hold())
		var batch []*message
		for _, m := range messages {
			batch = append(batch, newMessage(m, until))
		}
		in.add(n, batch)
		if ctx.Err() != nil {
			return
		}
		r.Received(start, err)
		if err == nil && r.Oldest != nil {
			r.Oldest(oldest(batch, time.Now()))
		}
		if err != nil {
			r.Report("", Request{}, err)
			sleep(ctx, time.Second)
		}
	}
}

// oldest returns how long the oldest of the messages had been in the queue.
func oldest(batch []*message, now time.Time) (age time.Duration) {
	for _, m := range batch {
		if !m.sent.IsZero() {
			age = max(age, now.Sub(m.sent))
		}
	}
	return age
}

// receive waits for at most n messages. Its deadline ends a receive that SQS accepts and never
// answers.
func (r *Receiver) receive(ctx context.Context, n int) ([]types.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, r.Queue.longPoll+r.Queue.timeout)
	defer cancel()
	url, err := r.Queue.url(ctx, r.Queue.name)
	if err != nil {
		return nil, err
	}
	out, err := r.Queue.client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl:                    &url,
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameSentTimestamp},
		MessageAttributeNames:       []string{traceparent},
		MaxNumberOfMessages:         int32(n), //nolint:gosec // batchSize at most
		WaitTimeSeconds:             int32(r.Queue.longPoll.Seconds()),
		VisibilityTimeout:           int32(r.hold().Seconds()),
	})
	if err != nil {
		return nil, fmt.Errorf("receive from queue %s: %w", r.Queue.name, err)
	}
	return out.Messages, nil
}

// handleAll handles one message after the other. A message that the end of ctx interrupts stays
// held, to be given back.
func (r *Receiver) handleAll(ctx context.Context, in *intake) {
	for m := in.next(); m != nil; m = in.next() {
		if in.late(m, time.Now()) {
			r.Report(Failed, m.request, errLate) // Another receiver may handle it already.
			in.drop(m)
			in.land(m)
			continue
		}
		land := sync.OnceFunc(func() { in.land(m) })
		slow := time.AfterFunc(maxHandling, land)
		err := m.invalid
		if err == nil {
			err = r.Handle(traced(ctx, m.trace), m.request)
		}
		slow.Stop()
		if m.invalid != nil || r.Ended == nil {
			land()
		} else {
			go func() {
				r.Ended(ctx, m.request)
				land()
			}()
		}
		done := r.settle(ctx, m, err)
		if !done && ctx.Err() == nil && r.VisibilityTimeout > r.hold() {
			r.changeVisibility(ctx, in, []*message{m}, r.VisibilityTimeout)
		}
		if done || ctx.Err() == nil {
			in.drop(m)
		}
	}
}

// settle removes a handled message from the queue, or moves one that can't be handled to the
// dead-letter queue. It returns false if the message stays in the queue.
func (r *Receiver) settle(ctx context.Context, m *message, err error) (done bool) {
	if m.invalid != nil {
		return r.deadLetter(ctx, m, err.Error())
	}
	if reject, ok := errors.AsType[*RejectError](err); ok {
		return r.deadLetter(ctx, m, reject.Reason)
	}
	if err != nil {
		r.Report(Failed, m.request, err)
		return false
	}
	err = r.delete(ctx, m)
	r.Report(Handled, m.request, err)
	return err == nil
}

// delete removes the message from the queue. If it fails, the message is redelivered and handled
// again.
func (r *Receiver) delete(ctx context.Context, m *message) error {
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
