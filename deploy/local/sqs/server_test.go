package sqs_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	client "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/jonboulle/clockwork"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/sqs"
)

// fixture is a server behind HTTP, an SDK client for it, and its fake clock.
type fixture struct {
	*client.Client
	t     *testing.T
	ctx   context.Context
	clock *clockwork.FakeClock
	http  *httptest.Server
	sqs   *sqs.Server
}

func newFixture(t *testing.T, path string) *fixture {
	t.Helper()
	f := &fixture{t: t, clock: clockwork.NewFakeClock()}
	var err error
	f.sqs, err = sqs.New(sqs.Options{
		Region: "us-west-2", Path: path, Clock: f.clock, OnError: func(err error) { t.Error(err) },
	})
	must(t, err)
	f.http = httptest.NewServer(f.sqs)
	t.Cleanup(f.stop)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	f.ctx = ctx
	f.Client = client.New(client.Options{
		Region: "us-west-2", BaseEndpoint: aws.String(f.http.URL),
		Credentials: credentials.NewStaticCredentialsProvider("local", "locallocal", ""),
	})
	return f
}

func (f *fixture) stop() {
	if err := f.sqs.Close(); err != nil {
		f.t.Error(err)
	}
	f.http.Close()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) queue(name string, attributes map[string]string) string {
	f.t.Helper()
	out, err := f.CreateQueue(f.ctx, &client.CreateQueueInput{QueueName: &name, Attributes: attributes})
	must(f.t, err)
	return *out.QueueUrl
}

// queueWithDeadLetters creates a queue with a dead-letter queue. A message moves there after that
// many receives.
func (f *fixture) queueWithDeadLetters(receives int) (url, dead string) {
	f.t.Helper()
	dead = f.queue("q_dead", map[string]string{"MessageRetentionPeriod": "1209600"})
	arn := f.attribute(dead, "QueueArn")
	policy := fmt.Sprintf(`{"deadLetterTargetArn":"%s","maxReceiveCount":"%d"}`, arn, receives)
	return f.queue("q", map[string]string{"RedrivePolicy": policy, "VisibilityTimeout": "10"}), dead
}

func (f *fixture) attribute(url, name string) string {
	f.t.Helper()
	out, err := f.GetQueueAttributes(f.ctx, &client.GetQueueAttributesInput{
		QueueUrl: &url, AttributeNames: []types.QueueAttributeName{types.QueueAttributeName(name)},
	})
	must(f.t, err)
	return out.Attributes[name]
}

func (f *fixture) send(url, body string) {
	f.t.Helper()
	_, err := f.SendMessage(f.ctx, &client.SendMessageInput{QueueUrl: &url, MessageBody: &body})
	must(f.t, err)
}

func (f *fixture) receive(url string, wait int32) []types.Message {
	f.t.Helper()
	out, err := f.ReceiveMessage(f.ctx, &client.ReceiveMessageInput{
		QueueUrl: &url, MaxNumberOfMessages: 10, WaitTimeSeconds: wait, MessageAttributeNames: []string{"All"},
		MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameAll},
	})
	must(f.t, err)
	return out.Messages
}

// receiveOne fails the test unless it receives exactly one message.
func (f *fixture) receiveOne(url string) types.Message {
	f.t.Helper()
	got := f.receive(url, 0)
	if len(got) != 1 {
		f.t.Fatalf("received %d messages, want 1", len(got))
	}
	return got[0]
}

func (f *fixture) expectEmpty(url string) {
	f.t.Helper()
	if got := f.receive(url, 0); len(got) != 0 {
		f.t.Fatalf("received %d messages, want none", len(got))
	}
}

func TestMessageRoundTrip(t *testing.T) {
	f := newFixture(t, "")
	url := f.queue("q", nil)
	_, err := f.SendMessage(f.ctx, &client.SendMessageInput{
		QueueUrl: &url, MessageBody: aws.String(`{"ä":"<&>"}`),
		MessageAttributes: map[string]types.MessageAttributeValue{
			"reason": {DataType: aws.String("String"), StringValue: aws.String("malformed")},
			"count":  {DataType: aws.String("Number"), StringValue: aws.String("3")},
			"raw":    {DataType: aws.String("Binary"), BinaryValue: []byte{0, 255}},
		},
	})
	must(t, err)
	m := f.receiveOne(url)
	if *m.Body != `{"ä":"<&>"}` {
		t.Errorf("body is %q", *m.Body)
	}
	if *m.MessageAttributes["reason"].StringValue != "malformed" ||
		string(m.MessageAttributes["raw"].BinaryValue) != "\x00\xff" {
		t.Errorf("message attributes are %v", m.MessageAttributes)
	}
	sent := fmt.Sprint(f.clock.Now().UnixMilli())
	if m.Attributes["ApproximateReceiveCount"] != "1" || m.Attributes["SentTimestamp"] != sent {
		t.Errorf("attributes are %v, want receive count 1, sent %s", m.Attributes, sent)
	}
	if got := f.attribute(url, "ApproximateNumberOfMessagesNotVisible"); got != "1" {
		t.Errorf("%s messages in flight, want 1", got)
	}
	_, err = f.DeleteMessage(f.ctx, &client.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: m.ReceiptHandle})
	must(t, err)
	f.clock.Advance(time.Hour)
	f.expectEmpty(url)
}

// TestLongPoll starts a long poll and changes the queue. It expects the answer although the clock
// stands still, or advances by less than the wait.
func TestLongPoll(t *testing.T) {
	tests := []struct {
		name  string
		event func(f *fixture, url string)
		want  int
	}{
		{"woken by a send", func(f *fixture, url string) { f.send(url, "late") }, 1},
		{"woken by an expired visibility timeout", func(f *fixture, _ string) { f.clock.Advance(10 * time.Second) }, 1},
		{"empty at the end of the wait", func(f *fixture, url string) {
			_, err := f.PurgeQueue(f.ctx, &client.PurgeQueueInput{QueueUrl: &url})
			must(f.t, err)
			f.clock.Advance(20 * time.Second)
		}, 0},
		{"empty when the server closes", func(f *fixture, _ string) { must(f.t, f.sqs.Close()) }, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t, "")
			url, _ := f.queueWithDeadLetters(5)
			f.send(url, "in flight")
			f.receiveOne(url) // Hidden for 10 s
			got := make(chan []types.Message, 1)
			go func() { got <- f.receive(url, 20) }()
			must(t, f.clock.BlockUntilContext(f.ctx, 1))
			select {
			case m := <-got:
				t.Fatalf("the long poll returned at once, with %d messages", len(m))
			default:
			}
			tt.event(f, url)
			select {
			case m := <-got:
				if len(m) != tt.want {
					t.Errorf("received %d messages, want %d", len(m), tt.want)
				}
			case <-f.ctx.Done():
				t.Error("the long poll did not return")
			}
		})
	}
}

func TestVisibility(t *testing.T) {
	f := newFixture(t, "")
	url, _ := f.queueWithDeadLetters(100)
	f.send(url, "m")
	first := f.receiveOne(url)
	f.expectEmpty(url)
	f.clock.Advance(10*time.Second - time.Millisecond)
	f.expectEmpty(url)
	f.clock.Advance(time.Millisecond)
	second := f.receiveOne(url)
	if second.Attributes["ApproximateReceiveCount"] != "2" {
		t.Errorf("receive count is %s, want 2", second.Attributes["ApproximateReceiveCount"])
	}

	// The older receipt handle deletes nothing.
	_, err := f.DeleteMessage(f.ctx, &client.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: first.ReceiptHandle})
	must(t, err)
	_, err = f.ChangeMessageVisibility(f.ctx, &client.ChangeMessageVisibilityInput{
		QueueUrl: &url, ReceiptHandle: second.ReceiptHandle, VisibilityTimeout: 0,
	})
	must(t, err)
	third := f.receiveOne(url)
	_, err = f.ChangeMessageVisibility(f.ctx, &client.ChangeMessageVisibilityInput{
		QueueUrl: &url, ReceiptHandle: third.ReceiptHandle, VisibilityTimeout: 100,
	})
	must(t, err)
	f.clock.Advance(99 * time.Second)
	f.expectEmpty(url)
	f.clock.Advance(time.Second)
	f.receiveOne(url)
}

func TestRetention(t *testing.T) {
	f := newFixture(t, "")
	url := f.queue("q", map[string]string{"MessageRetentionPeriod": "60"})
	f.send(url, "old")
	f.clock.Advance(59 * time.Second)
	f.send(url, "new")
	f.clock.Advance(time.Second)
	if got := f.attribute(url, "ApproximateNumberOfMessages"); got != "1" {
		t.Errorf("%s messages, want 1", got)
	}
	if m := f.receiveOne(url); *m.Body != "new" {
		t.Errorf("received %q, want the newer message", *m.Body)
	}
}

func TestDeadLetterAndRedrive(t *testing.T) {
	f := newFixture(t, "")
	url, dead := f.queueWithDeadLetters(3)
	f.send(url, "poison")
	for range 3 {
		f.receiveOne(url)
		f.expectEmpty(dead)
		f.clock.Advance(10 * time.Second)
	}
	f.expectEmpty(url)
	if got := f.attribute(dead, "ApproximateNumberOfMessages"); got != "1" {
		t.Fatalf("%s dead letters, want 1", got)
	}
	m := f.receiveOne(dead)
	if m.Attributes["DeadLetterQueueSourceArn"] != f.attribute(url, "QueueArn") {
		t.Errorf("attributes of the dead letter are %v", m.Attributes)
	}
	f.clock.Advance(time.Minute)
	f.send(dead, "sent here directly")

	_, err := f.StartMessageMoveTask(f.ctx, &client.StartMessageMoveTaskInput{
		SourceArn: aws.String(f.attribute(dead, "QueueArn")),
	})
	must(t, err)
	if m := f.receiveOne(url); *m.Body != "poison" || m.Attributes["ApproximateReceiveCount"] != "1" {
		t.Errorf("redriven message is %q, received %s times", *m.Body, m.Attributes["ApproximateReceiveCount"])
	}
	tasks, err := f.ListMessageMoveTasks(f.ctx, &client.ListMessageMoveTasksInput{
		SourceArn: aws.String(f.attribute(dead, "QueueArn")),
	})
	must(t, err)
	if task := tasks.Results[0]; aws.ToString(task.FailureReason) != "CouldNotDetermineMessageSource" ||
		task.ApproximateNumberOfMessagesMoved != 1 {
		t.Errorf("move task is %+v", task)
	}

	// With a destination, a message without a source queue moves too.
	_, err = f.StartMessageMoveTask(f.ctx, &client.StartMessageMoveTaskInput{
		SourceArn: aws.String(f.attribute(dead, "QueueArn")), DestinationArn: aws.String(f.attribute(url, "QueueArn")),
	})
	must(t, err)
	if m := f.receiveOne(url); *m.Body != "sent here directly" {
		t.Errorf("received %q", *m.Body)
	}
	f.expectEmpty(dead)
}

func TestBatchFailsPartially(t *testing.T) {
	f := newFixture(t, "")
	url := f.queue("q", map[string]string{"MaximumMessageSize": "1024"})
	out, err := f.SendMessageBatch(f.ctx, &client.SendMessageBatchInput{
		QueueUrl: &url, Entries: []types.SendMessageBatchRequestEntry{
			{Id: aws.String("a"), MessageBody: aws.String("fits")},
			{Id: aws.String("b"), MessageBody: aws.String(string(make([]byte, 10)))},
			{Id: aws.String("c"), MessageBody: aws.String(fmt.Sprintf("%01025d", 1))},
		},
	})
	must(t, err)
	if len(out.Successful) != 1 || *out.Successful[0].Id != "a" {
		t.Errorf("successful entries are %v", out.Successful)
	}
	codes := map[string]string{}
	for _, failed := range out.Failed {
		codes[*failed.Id] = *failed.Code
	}
	if codes["b"] != "InvalidMessageContents" || codes["c"] != "InvalidParameterValue" || len(codes) != 2 {
		t.Errorf("failed entries are %v", codes)
	}

	m := f.receiveOne(url)
	deleted, err := f.DeleteMessageBatch(f.ctx, &client.DeleteMessageBatchInput{
		QueueUrl: &url, Entries: []types.DeleteMessageBatchRequestEntry{
			{Id: aws.String("x"), ReceiptHandle: aws.String("nonsense")},
			{Id: aws.String("y"), ReceiptHandle: m.ReceiptHandle},
		},
	})
	must(t, err)
	if len(deleted.Failed) != 1 || *deleted.Failed[0].Code != "ReceiptHandleIsInvalid" || len(deleted.Successful) != 1 {
		t.Errorf("delete batch: successful %v, failed %v", deleted.Successful, deleted.Failed)
	}
}
