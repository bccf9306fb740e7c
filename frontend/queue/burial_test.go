package queue_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
)

// maxMessage is the limit of a message, with its attributes, in bytes.
const maxMessage = 1 << 20

// url returns the URL of the queue, or, with the suffix _dead, of its dead-letter queue.
func (f fixture) url(t *testing.T, suffix string) *string {
	t.Helper()
	u, err := f.client.GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: aws.String(f.name + suffix)})
	require.NoError(t, err)
	return u.QueueUrl
}

// deadLetter waits for the only dead letter.
func (f fixture) deadLetter(t *testing.T) types.Message {
	t.Helper()
	out, err := f.client.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{
		QueueUrl: f.url(t, "_dead"), MessageAttributeNames: []string{"All"}, WaitTimeSeconds: 20,
		VisibilityTimeout: 1, // If a response is lost, the client's next try gets the message.
	})
	require.NoError(t, err)
	require.Len(t, out.Messages, 1)
	return out.Messages[0]
}

func text(m types.Message, attribute string) string {
	return aws.ToString(m.MessageAttributes[attribute].StringValue)
}

func TestJunkOfAnySizeIsBuriedAtOnce(t *testing.T) {
	f := newFixture(t)
	f.setUp(t)
	_, err := f.client.SendMessage(t.Context(), &sqs.SendMessageInput{
		QueueUrl: f.url(t, ""), MessageBody: aws.String(strings.Repeat("x", maxMessage+1)),
	})
	require.ErrorContains(t, err, "shorter than 1048576 bytes")
	for name, tc := range map[string]struct {
		body string
		kept int // bytes of the body in the dead letter
	}{
		"small":                    {"secret", 6},
		"largest that is kept":     {strings.Repeat("x", 64<<10), 64 << 10},
		"one byte more":            {strings.Repeat("x", 64<<10+1), 64 << 10},
		"limit with the reason":    {strings.Repeat("x", maxMessage-len("reasonStringnot JSON")), 64 << 10},
		"one more with the reason": {strings.Repeat("x", maxMessage-len("reasonStringnot JSON")+1), 64 << 10},
		"limit":                    {strings.Repeat("x", maxMessage), 64 << 10},
		"cut within a character":   {"x" + strings.Repeat("é", maxMessage/2-1), 64<<10 - 1},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.setUp(t)
			_, err := f.client.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: f.url(t, ""), MessageBody: &tc.body})
			require.NoError(t, err)
			seen := f.startReceiver(t, func(context.Context, queue.Request) error { return nil })
			eventually(t, func() bool { return seen.count(queue.Dead)+seen.count(queue.Failed) > 0 }, "an outcome")
			require.Zero(t, seen.count(queue.Failed), "%v", seen.last())
			require.Equal(t, 1, seen.count(queue.Dead))
			m := f.deadLetter(t)
			require.Equal(t, tc.body[:tc.kept], aws.ToString(m.Body))
			require.Equal(t, "not JSON", text(m, "reason"))
			if tc.kept == len(tc.body) {
				require.Len(t, m.MessageAttributes, 1)
				return
			}
			sum := sha256.Sum256([]byte(tc.body))
			require.Equal(t, strconv.Itoa(len(tc.body)), text(m, "originalLength"))
			require.Equal(t, hex.EncodeToString(sum[:]), text(m, "originalSHA256"))
		})
	}
}

// TestBodiesThatSQSRefusesAreBuried has a server deliver bodies that SQS itself would not accept.
func TestBodiesThatSQSRefusesAreBuried(t *testing.T) {
	for name, tc := range map[string]struct{ body, want string }{
		"empty":             {"", "\uFFFD"},
		"control character": {"a\x01b", "a\uFFFDb"},
		"not a character":   {"a\uFFFEb", "a\uFFFDb"},
		"kept":              {"a\t\r\n\U0001F600", "a\t\r\n\U0001F600"},
		"long":              {strings.Repeat("\x01", 1<<20), strings.Repeat("\uFFFD", 64<<10/3)},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSilentSQS(t)
			s.messages = []string{tc.body}
			seen := s.receive(t, func(context.Context, queue.Request) error { return nil })
			eventually(t, func() bool { return seen.count(queue.Dead) == 1 }, "buried")
			require.Equal(t, tc.want, s.lastSent(), "the dead letter's body")
		})
	}
}

func TestReasonsThatSQSRefusesAreMended(t *testing.T) {
	for name, tc := range map[string]struct{ reason, want string }{
		"empty":             {"", "\uFFFD"},
		"control character": {"no\x00pe", "no\uFFFDpe"},
		"long":              {strings.Repeat("r", maxMessage), strings.Repeat("r", 1<<10)},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.setUp(t)
			require.NoError(t, f.Send(t.Context(), put()))
			seen := f.startReceiver(t, func(context.Context, queue.Request) error { return &queue.RejectError{Reason: tc.reason} })
			eventually(t, func() bool { return seen.count(queue.Dead)+seen.count(queue.Failed) > 0 }, "an outcome")
			require.Zero(t, seen.count(queue.Failed), "%v", seen.last())
			require.Equal(t, tc.want, text(f.deadLetter(t), "reason"))
		})
	}
}

// TestAttributesOfAMessageAreIgnored sends junk and a request. Attributes fill both messages to
// their limit.
func TestAttributesOfAMessageAreIgnored(t *testing.T) {
	request, err := queue.Encode(put())
	require.NoError(t, err)
	for body, want := range map[string]queue.Outcome{"junk": queue.Dead, request: queue.Handled} {
		t.Run(string(want), func(t *testing.T) {
			f := newFixture(t)
			f.setUp(t)
			huge := strings.Repeat("x", maxMessage-len(body)-len("reasonString"))
			_, err := f.client.SendMessage(t.Context(), &sqs.SendMessageInput{
				QueueUrl: f.url(t, ""), MessageBody: &body,
				MessageAttributes: map[string]types.MessageAttributeValue{
					"reason": {DataType: aws.String("String"), StringValue: &huge},
				},
			})
			require.NoError(t, err)
			seen := f.startReceiver(t, func(context.Context, queue.Request) error { return nil })
			eventually(t, func() bool { return seen.count(want) == 1 }, "the outcome")
			require.Zero(t, seen.count(queue.Failed))
			if want == queue.Dead {
				require.Equal(t, "not JSON", text(f.deadLetter(t), "reason"))
			}
		})
	}
}

func TestThousandsOfJunkMessagesHideNoRequest(t *testing.T) {
	const junk = 2000
	f := newFixture(t)
	f.setUp(t)
	for i := range junk / 10 {
		var entries []types.SendMessageBatchRequestEntry
		for j := range 10 {
			entries = append(entries, types.SendMessageBatchRequestEntry{
				Id: aws.String(strconv.Itoa(j)), MessageBody: aws.String(fmt.Sprintf(`{"secret":%d}`, 10*i+j)),
			})
		}
		out, err := f.client.SendMessageBatch(t.Context(), &sqs.SendMessageBatchInput{QueueUrl: f.url(t, ""), Entries: entries})
		require.NoError(t, err)
		require.Empty(t, out.Failed)
	}
	require.NoError(t, f.Send(t.Context(), put()))
	var seen reports
	run(t, &queue.Receiver{
		Queue: f.Queue, Receivers: 1, Intake: 1000, VisibilityTimeout: time.Minute, Report: seen.add, Received: func(time.Time, error) {}, Held: func(int) {},
		Handle: func(context.Context, queue.Request) error { return nil },
	})
	eventually(t, func() bool { return seen.count(queue.Handled) == 1 && seen.count(queue.Dead) == junk }, "all outcomes")
	require.Zero(t, seen.count(queue.Failed))
	require.NotContains(t, seen.last().Error(), "secret")
	require.Equal(t, strconv.Itoa(junk), f.attribute(t, "_dead", "ApproximateNumberOfMessages"))
	require.Equal(t, "0", f.attribute(t, "", "ApproximateNumberOfMessages"))
}
