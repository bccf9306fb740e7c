package queue_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go/middleware"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
)

const (
	visible = "ApproximateNumberOfMessages"
	hidden  = "ApproximateNumberOfMessagesNotVisible"
)

func putOf(url string) queue.Request {
	return queue.Request{Pool: "s3_us-west-2", URL: url, Action: queue.Put}
}

// sendMany sends n requests for objects of a host.
func (f fixture) sendMany(t *testing.T, host string, n int) {
	t.Helper()
	for i := range n {
		require.NoError(t, f.Send(t.Context(), putOf("https://"+host+"/"+strconv.Itoa(i))))
	}
}

// run runs a receiver until stop is called, and at most until the test ends.
func run(t *testing.T, r *queue.Receiver) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); r.Run(ctx) }()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	return stop
}

// TestSlowMessageHoldsUpNoOther has one message whose handler does not return.
func TestSlowMessageHoldsUpNoOther(t *testing.T) {
	f := newFixture(t)
	f.setUp(t)
	f.sendMany(t, "slow", 1)
	f.sendMany(t, "quick", 30)
	seen := f.startReceiver(t, func(ctx context.Context, r queue.Request) error {
		if strings.Contains(r.URL, "slow") {
			<-ctx.Done()
		}
		return ctx.Err()
	})
	eventually(t, func() bool { return seen.count(queue.Handled) == 30 }, "all others are handled")
	require.Equal(t, "1", f.attribute(t, "", hidden), "control: the slow message is held")
}

// TestBurstOfOneHostHoldsUpNoOther queues 100 requests for one host, and then one for another. All
// handlers are busy until all messages are received.
func TestBurstOfOneHostHoldsUpNoOther(t *testing.T) {
	const burst, handlers = 100, 10
	f := newFixture(t)
	f.setUp(t)
	f.sendMany(t, "burst", burst)
	f.sendMany(t, "single", 1)
	gate := make(chan struct{})
	var mu sync.Mutex
	var order []string
	seen := f.startReceiver(t, func(ctx context.Context, r queue.Request) error {
		select {
		case <-gate:
		case <-ctx.Done():
			return ctx.Err()
		}
		mu.Lock()
		defer mu.Unlock()
		order = append(order, r.URL)
		return nil
	})
	eventually(t, func() bool { return f.attribute(t, "", visible) == "0" }, "all messages are received")
	close(gate)
	eventually(t, func() bool { return seen.count(queue.Handled) == burst+1 }, "all messages are handled")
	before := 0
	for order[before] != "https://single/0" {
		before++
	}
	// The handlers had one message each. One turn of the other host may come first, and handlers
	// overtake each other.
	require.LessOrEqual(t, before, 2*handlers+1, "requests that were handled before")
}

// TestWindowLimitsRequestsInFlight has a window of two requests. Requests stay in flight after their
// messages were deleted.
func TestWindowLimitsRequestsInFlight(t *testing.T) {
	const n, window, ahead = 12, 2, 3
	f := newFixture(t)
	f.setUp(t)
	f.sendMany(t, "example.com", n)
	var seen reports
	var started, most, inFlight atomic.Int64
	landing := make(chan struct{})
	r := &queue.Receiver{
		Queue: f.Queue, Receivers: 2, Intake: 100, VisibilityTimeout: time.Minute, Report: seen.add, Received: func(time.Time, error) {}, Held: func(int) {},
		Window: func() int { return window },
		Handle: func(context.Context, queue.Request) error {
			started.Add(1)
			most.Store(max(most.Load(), inFlight.Add(1)))
			return nil
		},
		Ended: func(ctx context.Context, _ queue.Request) {
			select {
			case <-landing:
			case <-ctx.Done():
			}
			inFlight.Add(-1)
		},
	}
	messages, age := r.Waiting("s3_us-west-2")
	require.Zero(t, messages)
	require.Zero(t, age)
	run(t, r)
	eventually(t, func() bool { messages, age = r.Waiting("s3_us-west-2"); return messages >= ahead && age > 0 }, "the next ones wait")
	require.Less(t, messages, int64(n-window), "few wait here, so that other receivers can take the rest")
	for landed := range int64(n) {
		eventually(t, func() bool { return started.Load() == min(landed+window, n) }, "the window is full")
		landing <- struct{}{}
	}
	eventually(t, func() bool { return seen.count(queue.Handled) == n }, "all messages are handled")
	require.EqualValues(t, window, most.Load())
	require.Equal(t, "0", f.attribute(t, "", hidden))
}

// TestWaitingMessagesStayHidden has 20 messages, of which 10 are handled at the same time. Each
// takes longer than the visibility timeout. Another receiver gets none.
func TestWaitingMessagesStayHidden(t *testing.T) {
	const n = 20
	f := newFixture(t)
	f.setUp(t)
	f.sendMany(t, "example.com", n)
	var seen reports
	run(t, &queue.Receiver{
		Queue: f.Queue, Receivers: 1, Intake: 100, VisibilityTimeout: 3 * time.Second, Report: seen.add, Received: func(time.Time, error) {}, Held: func(int) {},
		Handle: func(ctx context.Context, _ queue.Request) error {
			select {
			case <-ctx.Done():
			case <-time.After(4 * time.Second):
			}
			return ctx.Err()
		},
	})
	eventually(t, func() bool { return f.attribute(t, "", visible) == "0" }, "all messages are received")
	other := f.startReceiver(t, func(context.Context, queue.Request) error { return nil })
	eventually(t, func() bool { return seen.count(queue.Handled) == n }, "the first receiver handles all")
	require.Zero(t, other.count(queue.Handled))
	require.Zero(t, seen.count(queue.Failed))
	f.sendMany(t, "example.com", 100)
	eventually(t, func() bool { return other.count(queue.Handled) > 0 }, "control: the other receiver works")
}

// TestHungCallLosesNoMessage has SQS leave the first extension of ten messages unanswered. The timeout of
// calls is longer than the time for which SQS hides a message. Another receiver gets none.
func TestHungCallLosesNoMessage(t *testing.T) {
	const n = 20
	f := newFixture(t)
	f.setUp(t)
	f.sendMany(t, "example.com", n)
	server, err := url.Parse(os.Getenv("CM_TEST_SQS_ENDPOINT"))
	require.NoError(t, err)
	forward := httputil.NewSingleHostReverseProxy(server)
	var extensions atomic.Int64
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".ChangeMessageVisibilityBatch") && extensions.Add(1) == 1 {
			_, _ = io.Copy(io.Discard, r.Body) // Otherwise the server does not notice that the client has left
			<-r.Context().Done()
			return
		}
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(proxy.Close)
	cfg, err := awsconfig.LoadDefaultConfig(t.Context())
	require.NoError(t, err)
	var seen reports
	gate := make(chan struct{})
	run(t, &queue.Receiver{
		Queue:     queue.Open(cfg, "us-west-2", proxy.URL, f.name, time.Minute),
		Receivers: 1, Intake: 100, VisibilityTimeout: 8 * time.Second, Report: seen.add, Received: func(time.Time, error) {}, Held: func(int) {},
		Handle: func(ctx context.Context, _ queue.Request) error {
			select {
			case <-ctx.Done():
			case <-gate:
			}
			return ctx.Err()
		},
	})
	eventually(t, func() bool { return f.attribute(t, "", hidden) == strconv.Itoa(n) }, "all messages are received")
	received := time.Now()
	other := f.startReceiver(t, func(context.Context, queue.Request) error { return nil })
	eventually(t, func() bool { return time.Since(received) > 9*time.Second }, "messages that were not extended are visible")
	require.Greater(t, extensions.Load(), int64(1), "control: a call hung")
	close(gate)
	eventually(t, func() bool { return seen.count(queue.Handled) == n }, "the first receiver handles all")
	require.Zero(t, other.count(queue.Handled))
	require.Zero(t, seen.count(queue.Failed))
}

// TestStoppedReceiverGivesBack stops a receiver that handles 10 messages, while 20 wait. SQS shows
// all of them at once, and not after the visibility timeout of an hour. No receive runs: SQS
// could answer it after the stop.
func TestStoppedReceiverGivesBack(t *testing.T) {
	const n = 30
	f := newFixture(t)
	f.setUp(t)
	f.sendMany(t, "example.com", n)
	var seen reports
	var held atomic.Int64
	stop := run(t, &queue.Receiver{
		Queue: f.Queue, Receivers: 1, Intake: 20, VisibilityTimeout: time.Hour, Report: seen.add, Received: func(time.Time, error) {}, Held: func(n int) { held.Store(int64(n)) },
		Handle: func(ctx context.Context, _ queue.Request) error {
			<-ctx.Done()
			return ctx.Err()
		},
	})
	eventually(t, func() bool { return held.Load() == n }, "all messages are received")
	require.Equal(t, strconv.Itoa(n), f.attribute(t, "", hidden), "control: SQS hides them")
	stop()
	require.Equal(t, "0", f.attribute(t, "", hidden))
	require.Equal(t, strconv.Itoa(n), f.attribute(t, "", visible))
	again := f.startReceiver(t, func(context.Context, queue.Request) error { return nil })
	eventually(t, func() bool { return again.count(queue.Handled) == n }, "another receiver handles all")
}

// TestIntakeLeavesTheRestToOthers has a receiver that can hold 20 messages besides 10 that it
// handles.
func TestIntakeLeavesTheRestToOthers(t *testing.T) {
	const n = 100
	f := newFixture(t)
	f.setUp(t)
	f.sendMany(t, "example.com", n)
	var seen reports
	run(t, &queue.Receiver{
		Queue: f.Queue, Receivers: 1, Intake: 20, VisibilityTimeout: time.Hour, Report: seen.add, Received: func(time.Time, error) {}, Held: func(int) {},
		Handle: func(ctx context.Context, _ queue.Request) error {
			<-ctx.Done()
			return ctx.Err()
		},
	})
	eventually(t, func() bool { return f.attribute(t, "", hidden) == "30" }, "the intake is full")
	other := f.startReceiver(t, func(context.Context, queue.Request) error { return nil })
	eventually(t, func() bool { return other.count(queue.Handled) == n-30 }, "another receiver handles the rest")
	require.Equal(t, "30", f.attribute(t, "", hidden))
}

// TestLateMessageIsLeftToSQS has a server that extends no visibility timeout. The eleventh message
// waits for longer than its timeout: another receiver may have it.
func TestLateMessageIsLeftToSQS(t *testing.T) {
	s := newSilentSQS(t, "ChangeMessageVisibilityBatch")
	body, err := queue.Encode(put())
	require.NoError(t, err)
	for range 11 {
		s.messages = append(s.messages, body)
	}
	cfg := aws.Config{Credentials: credentials.NewStaticCredentialsProvider("a", "b", "")}
	q := queue.Open(cfg, "us-west-2", s.URL, "queue", time.Second)
	q.SetLongPoll(0)
	seen := fixture{Queue: q}.startReceiver(t, func(ctx context.Context, _ queue.Request) error {
		select {
		case <-ctx.Done():
		case <-time.After(1500 * time.Millisecond):
		}
		return ctx.Err()
	})
	eventually(t, func() bool { return seen.count(queue.Handled) == 10 && seen.count(queue.Failed) == 1 }, "outcomes")
	require.Equal(t, 10, s.count("DeleteMessage"))
}

// TestAgeOfReceivedMessages queues two messages before a receiver starts, which waits for more of them
// afterwards.
func TestAgeOfReceivedMessages(t *testing.T) {
	f := newFixture(t)
	f.setUp(t)
	ages := make(chan time.Duration, 100)
	sent := time.Now()
	f.sendMany(t, "a.example", 2)
	eventually(t, func() bool { return time.Since(sent) > 100*time.Millisecond }, "the messages wait")
	run(t, &queue.Receiver{
		Queue: f.Queue, Receivers: 1, Intake: 100, VisibilityTimeout: time.Minute,
		Handle: func(context.Context, queue.Request) error { return nil },
		Report: func(queue.Outcome, queue.Request, error) {}, Received: func(time.Time, error) {}, Held: func(int) {},
		Oldest: func(age time.Duration) { ages <- age },
	})
	first := <-ages
	require.Greater(t, first, 90*time.Millisecond) // SQS counts whole milliseconds
	require.Less(t, first, time.Since(sent)+2*time.Millisecond)
	require.Zero(t, <-ages, "an empty queue")
}

// TestGroupsOfMessages reads the MessageGroupId that a sender sets.
func TestGroupsOfMessages(t *testing.T) {
	f := newFixture(t)
	f.setUp(t)
	groupOf := func(r queue.Request) string {
		require.NoError(t, f.Send(t.Context(), r))
		out, err := f.client.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{
			QueueUrl: f.url(t, ""), WaitTimeSeconds: 20, VisibilityTimeout: 600,
			MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameMessageGroupId},
		})
		require.NoError(t, err)
		require.Len(t, out.Messages, 1)
		return out.Messages[0].Attributes["MessageGroupId"]
	}
	of := groupOf(putOf("https://a.example/1"))
	require.Len(t, of, 32)
	require.NotContains(t, of, "example")
	require.Equal(t, of, groupOf(putOf("https://A.example/2")))
	require.NotEqual(t, of, groupOf(putOf("https://b.example/1")))
	low := putOf("https://a.example/3")
	low.Priority = queue.Low
	require.Equal(t, of+"-low", groupOf(low))
	require.Len(t, groupOf(putOf("https://"+strings.Repeat("a.", 120)+"example/1")), 32)
}

// TestServerThatRefusesGroups answers as SQS did before July 2025. Later messages have no group.
func TestServerThatRefusesGroups(t *testing.T) {
	for refusal, want := range map[string]struct {
		err   bool
		sends int // Of two messages
	}{
		"The request include parameter MessageGroupId which is not valid for this queue type": {false, 3},
		"Message must be shorter than 1024 bytes":                                             {true, 2},
	} {
		s := newSilentSQS(t)
		s.refuseGroups = refusal
		cfg := aws.Config{Credentials: credentials.NewStaticCredentialsProvider("a", "b", "")}
		q := queue.Open(cfg, "us-west-2", s.URL, "queue", time.Second)
		for range 2 {
			require.Equal(t, want.err, q.Send(t.Context(), put()) != nil, refusal)
		}
		require.Equal(t, want.sends, s.count("SendMessage"), refusal)
	}
}

// TestHeldMessageIsHiddenForSeconds has a timeout of a minute, which only a message that failed gets. A
// killed process delays the others by seconds.
func TestHeldMessageIsHiddenForSeconds(t *testing.T) {
	for name, tc := range map[string]struct {
		timeout     time.Duration
		held, after int32 // In seconds; 0 is no call
	}{
		"a minute": {time.Minute, 10, 60},
		"4 s":      {4 * time.Second, 4, 0},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.setUp(t)
			calls := f.record(t)
			f.sendMany(t, "example.com", 1)
			var seen reports
			run(t, &queue.Receiver{
				Queue: f.Queue, Receivers: 1, Intake: 100, VisibilityTimeout: tc.timeout, Report: seen.add, Received: func(time.Time, error) {}, Held: func(int) {},
				Handle: func(context.Context, queue.Request) error { return errors.New("down") },
			})
			var held, after int32
			eventually(t, func() bool {
				for _, in := range calls() {
					switch in := in.(type) {
					case *sqs.ReceiveMessageInput:
						held = in.VisibilityTimeout
					case *sqs.ChangeMessageVisibilityBatchInput:
						after = in.Entries[0].VisibilityTimeout
					}
				}
				return seen.count(queue.Failed) == 1 && after == tc.after
			}, "the message fails")
			require.Equal(t, tc.held, held)
		})
	}
}

// record has the fixture's queue record the inputs of its calls of SQS.
func (f *fixture) record(t *testing.T) (calls func() []any) {
	t.Helper()
	var mu sync.Mutex
	var all []any
	cfg, err := awsconfig.LoadDefaultConfig(t.Context())
	require.NoError(t, err)
	cfg.APIOptions = append(cfg.APIOptions, func(stack *middleware.Stack) error {
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("record", func(
			ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
		) (middleware.InitializeOutput, middleware.Metadata, error) {
			mu.Lock()
			all = append(all, in.Parameters)
			mu.Unlock()
			return next.HandleInitialize(ctx, in)
		}), middleware.Before)
	})
	f.Queue = queue.Open(cfg, "us-west-2", os.Getenv("CM_TEST_SQS_ENDPOINT"), f.name, 10*time.Second)
	return func() []any {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(all)
	}
}
