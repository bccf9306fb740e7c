package queue_test

import (
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
)

// fixture is the test's own queue, on the SQS endpoint of `make test`.
type fixture struct {
	*queue.Queue
	name   string
	client *sqs.Client
}

func newFixture(t *testing.T) fixture {
	t.Helper()
	endpoint := os.Getenv("CM_TEST_SQS_ENDPOINT")
	require.NotEmpty(t, endpoint, "this test needs an SQS endpoint: run `make test`, or set CM_TEST_SQS_ENDPOINT")
	cfg, err := awsconfig.LoadDefaultConfig(t.Context())
	require.NoError(t, err)
	name := strings.ReplaceAll(t.Name(), "/", "-") + strconv.FormatInt(time.Now().UnixNano(), 36)
	return fixture{
		Queue: queue.Open(cfg, "us-west-2", endpoint, name, 10*time.Second), name: name,
		client: sqs.NewFromConfig(cfg, func(o *sqs.Options) { o.BaseEndpoint = &endpoint }),
	}
}

func (f fixture) setUp(t *testing.T) {
	t.Helper()
	_, err := f.Setup(t.Context(), 5*time.Second, 3, false)
	require.NoError(t, err)
}

// attribute returns one attribute of the queue, or, with the suffix _dead, of its dead-letter
// queue.
func (f fixture) attribute(t *testing.T, suffix, attribute string) string {
	t.Helper()
	u, err := f.client.GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: aws.String(f.name + suffix)})
	require.NoError(t, err)
	out, err := f.client.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl: u.QueueUrl, AttributeNames: []types.QueueAttributeName{"All"},
	})
	require.NoError(t, err)
	return out.Attributes[attribute]
}

// startReceiver runs a receiver until the test ends.
func (f fixture) startReceiver(t *testing.T, handle func(context.Context, queue.Request) error) *reports {
	t.Helper()
	var seen reports
	r := &queue.Receiver{
		Queue: f.Queue, Receivers: 1, Intake: 100, VisibilityTimeout: time.Second, Handle: handle, Report: seen.add, Received: func(time.Time, error) {}, Held: func(int) {},
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); r.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return &seen
}

type reports struct {
	mu  sync.Mutex
	all map[queue.Outcome]int
	err error
}

func (r *reports) add(o queue.Outcome, _ queue.Request, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all == nil {
		r.all = map[queue.Outcome]int{}
	}
	r.all[o]++
	if err != nil {
		r.err = err
	}
}

func (r *reports) count(o queue.Outcome) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all[o]
}

// last returns the last error.
func (r *reports) last() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

func put() queue.Request {
	return queue.Request{Pool: "s3_us-west-2", URL: "https://example.com/", Action: queue.Put}
}

func eventually(t *testing.T, f func() bool, msg string) {
	t.Helper()
	require.Eventually(t, f, 20*time.Second, 5*time.Millisecond, msg)
}

func TestSetupIsIdempotentAndDryRunChangesNothing(t *testing.T) {
	f := newFixture(t)
	lines, err := f.Setup(t.Context(), 30*time.Second, 5, true)
	require.NoError(t, err)
	require.Equal(t, []string{"queue " + f.name + "_dead: would create it", "queue " + f.name + ": would create it"}, lines)
	require.ErrorContains(t, f.Send(t.Context(), put()), "run `cloud-mirror setup`")

	lines, err = f.Setup(t.Context(), 30*time.Second, 5, false)
	require.NoError(t, err)
	require.Equal(t, []string{"queue " + f.name + "_dead: created", "queue " + f.name + ": created"}, lines)
	require.Contains(t, f.attribute(t, "", "RedrivePolicy"), f.name+"_dead")
	require.Equal(t, "1209600", f.attribute(t, "_dead", "MessageRetentionPeriod"))

	lines, err = f.Setup(t.Context(), 30*time.Second, 5, false)
	require.NoError(t, err)
	require.Equal(t, []string{
		"queue " + f.name + "_dead: exists as configured", "queue " + f.name + ": exists as configured",
	}, lines)

	lines, err = f.Setup(t.Context(), 40*time.Second, 5, true)
	require.NoError(t, err)
	require.Equal(t, "queue "+f.name+": would set [VisibilityTimeout]", lines[1])
	require.Equal(t, "30", f.attribute(t, "", "VisibilityTimeout"))
	_, err = f.Setup(t.Context(), 40*time.Second, 5, false)
	require.NoError(t, err)
	require.Equal(t, "40", f.attribute(t, "", "VisibilityTimeout"))
}

func TestHandledMessagesAreDeleted(t *testing.T) {
	f := newFixture(t)
	f.setUp(t)
	got := make(chan queue.Request, 1)
	seen := f.startReceiver(t, func(_ context.Context, r queue.Request) error { got <- r; return nil })
	require.NoError(t, f.Send(t.Context(), put()))
	require.Equal(t, put(), <-got)
	eventually(t, func() bool { return seen.count(queue.Handled) == 1 }, "handled")
	require.Equal(t, "0", f.attribute(t, "", "ApproximateNumberOfMessagesNotVisible"))
	require.Equal(t, "0", f.attribute(t, "", "ApproximateNumberOfMessages"))
}

func TestFailedMessagesAreRedeliveredThenDeadLettered(t *testing.T) {
	f := newFixture(t)
	f.setUp(t)
	seen := f.startReceiver(t, func(context.Context, queue.Request) error { return errors.New("not now") })
	require.NoError(t, f.Send(t.Context(), put()))
	eventually(t, func() bool { return f.attribute(t, "_dead", "ApproximateNumberOfMessages") == "1" }, "dead letter")
	require.Equal(t, 3, seen.count(queue.Failed))
}

func TestRejectedMessagesAreDeadLetteredAtOnce(t *testing.T) {
	f := newFixture(t)
	f.setUp(t)
	seen := f.startReceiver(t, func(context.Context, queue.Request) error { return &queue.RejectError{Reason: "why"} })
	require.NoError(t, f.Send(t.Context(), put()))
	eventually(t, func() bool { return seen.count(queue.Dead) == 1 }, "dead")
	require.Equal(t, "1", f.attribute(t, "_dead", "ApproximateNumberOfMessages"))
	require.Zero(t, seen.count(queue.Failed))
	u, err := f.client.GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: aws.String(f.name + "_dead")})
	require.NoError(t, err)
	out, err := f.client.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{
		QueueUrl: u.QueueUrl, MessageAttributeNames: []string{"reason"},
	})
	require.NoError(t, err)
	require.Len(t, out.Messages, 1)
	require.Equal(t, "why", aws.ToString(out.Messages[0].MessageAttributes["reason"].StringValue))
}

func TestDryRunReportsAMissingDeadLetterQueue(t *testing.T) {
	f := newFixture(t)
	f.setUp(t)
	u, err := f.client.GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: aws.String(f.name + "_dead")})
	require.NoError(t, err)
	_, err = f.client.DeleteQueue(t.Context(), &sqs.DeleteQueueInput{QueueUrl: u.QueueUrl})
	require.NoError(t, err)
	lines, err := f.Setup(t.Context(), 5*time.Second, 3, true)
	require.NoError(t, err)
	require.Equal(t, []string{
		"queue " + f.name + "_dead: would create it", "queue " + f.name + ": would set [RedrivePolicy]",
	}, lines)
}

func TestVisibilityIsExtendedWhileHandling(t *testing.T) {
	f := newFixture(t)
	f.setUp(t)
	var handled sync.Map
	// Three times the visibility timeout, which is one second.
	seen := f.startReceiver(t, func(ctx context.Context, _ queue.Request) error {
		handled.Store(time.Now(), true)
		select {
		case <-ctx.Done():
		case <-time.After(3 * time.Second):
		}
		return nil
	})
	other := f.startReceiver(t, func(context.Context, queue.Request) error { handled.Store(time.Now(), true); return nil })
	require.NoError(t, f.Send(t.Context(), put()))
	eventually(t, func() bool { return seen.count(queue.Handled)+other.count(queue.Handled) > 0 }, "handled")
	times := 0
	handled.Range(func(any, any) bool { times++; return true })
	require.Equal(t, 1, times, "both receivers handled it")
}
