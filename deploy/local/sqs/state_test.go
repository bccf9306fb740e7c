package sqs_test

import (
	"context"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	client "github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/sqs"
)

func TestStateOutlivesTheServer(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sqs.json")
	f := newFixture(t, path)
	url, dead := f.queueWithDeadLetters(3)
	f.send(url, "first")
	f.send(url, "second")
	m := f.receive(url, 0)[0] // Both are hidden now
	_, err := f.DeleteMessage(f.ctx, &client.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: m.ReceiptHandle})
	must(t, err)
	policy := f.attribute(url, "RedrivePolicy")
	f.stop()

	f = newFixture(t, path)
	list, err := f.ListQueues(f.ctx, &client.ListQueuesInput{QueueNamePrefix: aws.String("q")})
	must(t, err)
	if len(list.QueueUrls) != 2 {
		t.Fatalf("queues after the restart are %v", list.QueueUrls)
	}
	if got := f.attribute(url, "RedrivePolicy"); got != policy {
		t.Errorf("RedrivePolicy is %q, want %q", got, policy)
	}
	f.expectEmpty(dead)
	f.clock.Advance(time.Hour) // The clock has restarted, and the hidden message becomes visible
	if m := f.receiveOne(url); *m.Body != "second" || m.Attributes["ApproximateReceiveCount"] != "2" {
		t.Errorf("message after the restart is %q, received %s times", *m.Body, m.Attributes["ApproximateReceiveCount"])
	}
}

// TestStateIsWrittenWhileRunning covers a kill -9: the state file exists without a Close.
func TestStateIsWrittenWhileRunning(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sqs.json")
	f := newFixture(t, path)
	url := f.queue("q", nil)
	f.send(url, "kept")
	must(t, f.clock.BlockUntilContext(f.ctx, 1))
	f.clock.Advance(time.Second)
	waitFor(f.ctx, t, func() bool {
		second, err := sqs.New(sqs.Options{Region: "us-west-2", Path: path, Clock: f.clock})
		must(t, err)
		defer second.Close()
		server := httptest.NewServer(second)
		defer server.Close()
		c := client.New(client.Options{
			Region: "us-west-2", BaseEndpoint: &server.URL, Credentials: f.Options().Credentials,
		})
		out, err := c.ReceiveMessage(f.ctx, &client.ReceiveMessageInput{QueueUrl: &url})
		return err == nil && len(out.Messages) == 1
	})
}

// waitFor fails the test if the context ends before the condition holds.
func waitFor(ctx context.Context, t *testing.T, condition func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("timed out waiting for the condition")
		}
	}
}

// TestSentMessagesOutliveAKill opens the files of a server that has not written its state since a
// message was sent.
func TestSentMessagesOutliveAKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sqs.json")
	f := newFixture(t, path)
	url := f.queue("q", nil)
	f.send(url, "deleted")
	m := f.receive(url, 0)[0]
	_, err := f.DeleteMessage(f.ctx, &client.DeleteMessageInput{QueueUrl: &url, ReceiptHandle: m.ReceiptHandle})
	must(t, err)
	must(t, f.clock.BlockUntilContext(f.ctx, 1))
	f.clock.Advance(time.Second)
	waitFor(f.ctx, t, func() bool {
		b, err := os.ReadFile(path + ".journal")
		return err == nil && len(b) == 0 // The state file has the message.
	})
	f.send(url, "sent")
	journal, err := os.OpenFile(path+".journal", os.O_APPEND|os.O_WRONLY, 0)
	must(t, err)
	_, err = journal.WriteString(`{"Queue":"q","Mess`) // The kill came in the middle of a write.
	must(t, err)
	must(t, journal.Close())

	second, err := sqs.New(sqs.Options{Region: "us-west-2", Path: path, Clock: f.clock})
	must(t, err)
	defer second.Close()
	server := httptest.NewServer(second)
	defer server.Close()
	c := client.New(client.Options{Region: "us-west-2", BaseEndpoint: &server.URL, Credentials: f.Options().Credentials})
	out, err := c.ReceiveMessage(f.ctx, &client.ReceiveMessageInput{QueueUrl: &url, MaxNumberOfMessages: 10})
	must(t, err)
	if len(out.Messages) != 1 || *out.Messages[0].Body != "sent" {
		t.Fatalf("messages after the kill are %v", out.Messages)
	}
	_, err = c.SendMessage(f.ctx, &client.SendMessageInput{QueueUrl: &url, MessageBody: aws.String("after the kill")})
	must(t, err)
	third, err := sqs.New(sqs.Options{Region: "us-west-2", Path: path, Clock: f.clock})
	must(t, err)
	must(t, third.Close())
}
