package queue_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
)

// silentSQS accepts all calls, and never answers the calls in silent.
type silentSQS struct {
	*httptest.Server

	mu       sync.Mutex
	silent   map[string]bool
	calls    map[string]int
	messages []string // bodies to deliver
	// refuseGroups is the error of a message with a group. Empty accepts it.
	refuseGroups string
	sent         string // the body of the last message that a client sent
}

func newSilentSQS(t *testing.T, silent ...string) *silentSQS {
	t.Helper()
	s := &silentSQS{silent: map[string]bool{}, calls: map[string]int{}}
	for _, call := range silent {
		s.silent[call] = true
	}
	s.Server = httptest.NewServer(s)
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

func (s *silentSQS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	in, _ := io.ReadAll(r.Body)
	_, call, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	s.mu.Lock()
	s.calls[call]++
	var message struct {
		MessageBody string
		Group       string `json:"MessageGroupId"`
	}
	if call == "SendMessage" && json.Unmarshal(in, &message) == nil {
		s.sent = message.MessageBody
	}
	silent, messages, refused := s.silent[call], s.messages, message.Group != "" && s.refuseGroups != ""
	if call == "ReceiveMessage" && !s.silent["DeleteMessage"] && !s.silent["SendMessage"] {
		s.messages = nil // Otherwise they are redelivered.
	}
	s.mu.Unlock()
	if silent {
		<-r.Context().Done()
		return
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	if refused {
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]string{"__type": "com.amazonaws.sqs#InvalidParameterValue", "message": s.refuseGroups})
		return
	}
	switch call {
	case "GetQueueUrl":
		_ = json.NewEncoder(w).Encode(map[string]string{"QueueUrl": s.URL + "/queue"})
	case "ReceiveMessage":
		out := []map[string]string{}
		for _, body := range messages {
			out = append(out, map[string]string{"MessageId": "1", "ReceiptHandle": "1", "Body": body})
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"Messages": out})
	default:
		_, _ = io.WriteString(w, "{}")
	}
}

func (s *silentSQS) count(call string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[call]
}

func (s *silentSQS) lastSent() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sent
}

// receive runs a receiver until the test ends.
func (s *silentSQS) receive(t *testing.T, handle func(context.Context, queue.Request) error) *reports {
	t.Helper()
	cfg := aws.Config{Credentials: credentials.NewStaticCredentialsProvider("a", "b", "")}
	q := queue.Open(cfg, "us-west-2", s.URL, "queue", 10*time.Second)
	q.SetLongPoll(0)
	return fixture{Queue: q}.startReceiver(t, handle)
}

// TestASilentSQSHangsNoReceiver has SQS accept one kind of call without an answer. The receiver
// gives up, reports that, and continues.
func TestASilentSQSHangsNoReceiver(t *testing.T) {
	for _, call := range []string{"GetQueueUrl", "ReceiveMessage", "DeleteMessage", "ChangeMessageVisibilityBatch", "SendMessage"} {
		t.Run(call, func(t *testing.T) {
			s := newSilentSQS(t, call)
			body, err := queue.Encode(put())
			require.NoError(t, err)
			s.messages = []string{body}
			cfg := aws.Config{Credentials: credentials.NewStaticCredentialsProvider("a", "b", "")}
			timeout := 50 * time.Millisecond
			if call != "GetQueueUrl" && call != "ReceiveMessage" {
				timeout = time.Second // The receives must not fail.
			}
			q := queue.Open(cfg, "us-west-2", s.URL, "queue", timeout)
			q.SetLongPoll(0)
			var seen reports
			var received sync.Map
			r := &queue.Receiver{
				Queue: q, Receivers: 1, Intake: 100, VisibilityTimeout: time.Second,
				Held: func(int) {},
				Handle: func(ctx context.Context, _ queue.Request) error {
					if call == "ChangeMessageVisibilityBatch" {
						for s.count(call) < 2 && ctx.Err() == nil { // The extension is tried again.
							select {
							case <-ctx.Done():
							case <-time.After(5 * time.Millisecond):
							}
						}
					}
					if call == "SendMessage" {
						return &queue.RejectError{Reason: "its dead letter is sent"}
					}
					return ctx.Err()
				},
				Report:   seen.add,
				Received: func(_ time.Time, err error) { received.Store(time.Now(), err) },
			}
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan struct{})
			go func() { defer close(done); r.Run(ctx) }()
			t.Cleanup(func() { cancel(); <-done })

			eventually(t, func() bool { return s.count(call) >= 2 }, "the call is made again: it hangs for ever")
			eventually(t, func() bool { return errors.Is(seen.last(), context.DeadlineExceeded) }, "a deadline is reported")
			failed := false
			received.Range(func(_, err any) bool { failed = failed || err != nil; return true })
			require.Equal(t, call == "GetQueueUrl" || call == "ReceiveMessage", failed, "failed receives")
		})
	}
}

// TestSlowDeletesHoldUpNoCopy has SQS delete no message, and a window of one copy. Copies end at once.
// When the first delete has timed out, all handlers have started a copy.
func TestSlowDeletesHoldUpNoCopy(t *testing.T) {
	const handlers = 10
	s := newSilentSQS(t, "DeleteMessage")
	body, err := queue.Encode(put())
	require.NoError(t, err)
	s.messages = []string{body}
	q := queue.Open(aws.Config{Credentials: credentials.NewStaticCredentialsProvider("a", "b", "")}, "us-west-2", s.URL, "queue", 3*time.Second)
	q.SetLongPoll(0)
	var started atomic.Int64
	reported := make(chan int64, 1)
	run(t, &queue.Receiver{
		Queue: q, Receivers: 1, Intake: 100, VisibilityTimeout: time.Minute, Received: func(time.Time, error) {}, Held: func(int) {},
		Window: func() int { return 1 },
		Handle: func(context.Context, queue.Request) error { started.Add(1); return nil },
		Ended:  func(context.Context, queue.Request) {},
		Report: func(o queue.Outcome, _ queue.Request, _ error) {
			if o == queue.Handled {
				select {
				case reported <- started.Load():
				default:
				}
			}
		},
	})
	require.EqualValues(t, handlers, <-reported)
}
