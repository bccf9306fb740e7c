package queue_test

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
)

// bury has a bridge move n requests and one message of junk to the dead-letter queue.
func (f fixture) bury(t *testing.T, n int, junk string) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	f.sendMany(t, "example.com", n)
	_, err := f.client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: f.url(t, ""), MessageBody: aws.String(junk)})
	require.NoError(t, err)
	var seen reports
	r := &queue.Receiver{
		Queue: f.Queue, Receivers: 1, Intake: 100, VisibilityTimeout: time.Minute, Report: seen.add,
		Received: func(time.Time, error) {}, Held: func(int) {},
		Handle: func(context.Context, queue.Request) error { return &queue.RejectError{Reason: "no such pool"} },
	}
	ended := make(chan struct{})
	go func() { defer close(ended); r.Run(ctx) }()
	eventually(t, func() bool { return seen.count(queue.Dead) == n+1 }, "all messages are buried")
	stop()
	<-ended
}

func TestDeadLettersAreTakenAndReleased(t *testing.T) {
	const requests = 24
	f := newFixture(t)
	f.setUp(t)
	start := time.Now()
	f.bury(t, requests, strings.Repeat("x", 100<<10))
	for range 2 { // Released letters can be taken again.
		all, err := f.TakeDead(t.Context(), 100)
		require.NoError(t, err)
		require.Len(t, all, requests+1)
		cut := 0
		for _, d := range all {
			require.WithinRange(t, d.Sent, start.Add(-time.Second), time.Now().Add(time.Second))
			if d.Invalid != nil {
				require.Equal(t, "not JSON", d.Reason)
				require.True(t, d.Cut())
				require.EqualValues(t, 100<<10, d.Length)
				cut++
				continue
			}
			require.False(t, d.Cut())
			require.Equal(t, "rejected: no such pool", "rejected: "+d.Reason)
			require.Equal(t, "s3_us-west-2", d.Request.Pool)
		}
		require.Equal(t, 1, cut)
		none, err := f.TakeDead(t.Context(), 100)
		require.NoError(t, err)
		require.Empty(t, none, "control: they are hidden")
		require.NoError(t, f.ReleaseDead(t.Context(), all))
	}
	few, err := f.TakeDead(t.Context(), 11)
	require.NoError(t, err)
	require.Len(t, few, 11)
}

func TestRedrivenLetterIsHandled(t *testing.T) {
	f := newFixture(t)
	f.setUp(t)
	f.bury(t, 3, "junk")
	all, err := f.TakeDead(t.Context(), 100)
	require.NoError(t, err)
	for _, d := range all {
		err := f.Redrive(t.Context(), d)
		if d.Invalid != nil {
			require.EqualError(t, err, "it is no copy request: not JSON")
			continue
		}
		require.NoError(t, err)
	}
	seen := f.startReceiver(t, func(context.Context, queue.Request) error { return nil })
	eventually(t, func() bool { return seen.count(queue.Handled) == 3 }, "the requests are handled")
	require.Equal(t, strconv.Itoa(1), f.attribute(t, "_dead", hidden), "the junk stays")
}

// TestALateRedriveIsRefused redrives a letter that SQS may have shown to others meanwhile.
func TestALateRedriveIsRefused(t *testing.T) {
	f := newFixture(t)
	f.setUp(t)
	f.bury(t, 1, "junk")
	all, err := f.TakeDead(t.Context(), 100)
	require.NoError(t, err)
	request := all[slices.IndexFunc(all, func(d queue.DeadLetter) bool { return d.Invalid == nil })]
	late := queue.DeadLetter{ID: request.ID, Body: request.Body, Request: request.Request}
	require.ErrorContains(t, f.Redrive(t.Context(), late), "list again")
	require.NoError(t, f.Redrive(t.Context(), request), "control")
}
