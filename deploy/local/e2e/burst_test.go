package e2e

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/proxy"
)

// sendBurst requests n objects of a source in west, ten messages at a time. If the test fails, it
// empties the queue: the front ends of later tests would send their clients to the source.
func sendBurst(t *testing.T, s *source, n int) {
	t.Helper()
	c := newQueues()
	queue := queueURL(t, c, "cloud-mirror")
	t.Cleanup(func() {
		if t.Failed() {
			_, err := c.PurgeQueue(context.Background(), &sqs.PurgeQueueInput{QueueUrl: queue})
			require.NoError(t, err)
		}
	})
	for sent := 0; sent < n; sent += 10 {
		var batch []types.SendMessageBatchRequestEntry
		for i := range min(10, n-sent) {
			body := fmt.Sprintf(`{"version":1,"data":{"id":"s3_%s","url":%q,"action":"put"}}`, west, s.object())
			sys.journal.Handwritten(body)
			batch = append(batch, types.SendMessageBatchRequestEntry{Id: aws.String(strconv.Itoa(i)), MessageBody: &body})
		}
		out, err := c.SendMessageBatch(t.Context(), &sqs.SendMessageBatchInput{QueueUrl: queue, Entries: batch})
		require.NoError(t, err)
		require.Empty(t, out.Failed)
	}
}

// inQueue returns how many messages the queue shows, and how many it hides.
func inQueue(t *testing.T) (visible, hidden int) {
	t.Helper()
	c := newQueues()
	out, err := c.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{
		QueueUrl: queueURL(t, c, "cloud-mirror"), AttributeNames: []types.QueueAttributeName{"All"},
	})
	require.NoError(t, err)
	visible, err = strconv.Atoi(out.Attributes["ApproximateNumberOfMessages"])
	require.NoError(t, err)
	hidden, err = strconv.Atoi(out.Attributes["ApproximateNumberOfMessagesNotVisible"])
	require.NoError(t, err)
	return visible, hidden
}

// waitEmptyQueue waits until the bridges have handled the messages of earlier tests, so that a test
// can count its own.
func waitEmptyQueue(t *testing.T) {
	t.Helper()
	eventually(t, func() bool {
		visible, hidden := inQueue(t)
		return visible+hidden == 0
	}, "the queue is empty")
}

// runsOf returns the runs about a source's objects.
func runsOf(t *testing.T, s *source) (all []*workflow.WorkflowExecutionInfo) {
	t.Helper()
	var page []byte
	for {
		out, err := sys.temporal.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{
			Namespace: "default", Query: fmt.Sprintf("MirrorHost = '%s'", s.Listener.Addr()), NextPageToken: page,
		})
		require.NoError(t, err)
		all = append(all, out.GetExecutions()...)
		if page = out.GetNextPageToken(); len(page) == 0 {
			return all
		}
	}
}

// logHops logs when the steps of a copy began and ended, counted from the client's request.
func logHops(t *testing.T, w *workflow.WorkflowExecutionInfo, requested time.Time) {
	t.Helper()
	var hops []string
	for _, e := range events(t, w) {
		hops = append(hops, fmt.Sprintf("%s %s", e.GetEventTime().AsTime().Sub(requested).Round(time.Millisecond), e.GetEventType()))
	}
	t.Log(strings.Join(hops, "\n"))
}

// TestBurstOfAHostHoldsUpNoOther queues 400 objects of one host in SQS, before a client requests
// an object of another. That object's workflow starts before half of the burst's. In the order of
// SQS, it would be the last. The test logs the client's wait, and that of a client before the burst.
func TestBurstOfAHostHoldsUpNoOther(t *testing.T) {
	const burst, quiet = 400, 11
	for _, w := range workers() {
		pause(t, w)
	}
	binary := plainBinary(t)
	config := editedConfig(t, func(settingsTree) {})
	const quietLog = "CLOUD_MIRROR_LOG_LEVEL=info"
	startProcess(t, "burst-worker", binary, strings.Fields("worker --pool s3_"+west+" --config "+config), quietLog)
	frontEnd := startProcess(t, "burst-frontend", binary, strings.Fields("frontend --config "+config), quietLog)
	crowded, other := newSource(t, 1000, nil), newSource(t, 1000, nil)
	request := func(object string) time.Duration {
		a := do(t, http.MethodGet, frontEnd.redirectURL(west, object, ""), "")
		requireCopy(t, other, west, a)
		return a.took
	}
	request(other.object()) // Opens connections.
	var idle []time.Duration
	for range quiet {
		idle = append(idle, request(other.object()))
	}
	slices.Sort(idle)
	alone := idle[quiet/2]

	sendBurst(t, crowded, burst)
	single := other.object()
	requested := time.Now()
	took := request(single)
	copied := crowded.count(http.MethodGet)
	t.Logf("alone %s, behind %d objects of another host %s: %.1f times; %d of them were read meanwhile",
		alone, burst, took, took.Seconds()/alone.Seconds(), copied)
	w := waitClosed(t, west, single, 1, completedStatus)
	logHops(t, w, requested)

	var runs []*workflow.WorkflowExecutionInfo
	require.Eventually(t, func() bool {
		runs = runsOf(t, crowded)
		return len(runs) == burst && crowded.count(http.MethodGet) == burst
	}, 5*time.Minute, 200*time.Millisecond, "the whole burst is copied")
	waitIdle(t, crowded)
	before := 0
	for _, r := range runs {
		if r.GetStartTime().AsTime().Before(w.GetStartTime().AsTime()) {
			before++
		}
	}
	t.Logf("%d of %d workflows of the burst started before", before, burst)
	require.Less(t, before, burst/2)
}

// TestEndOfABridgeLosesNoMessage ends a bridge that holds messages, because Temporal does not
// answer. A stopped bridge gives them back at once. Those of a killed one come back by themselves.
func TestEndOfABridgeLosesNoMessage(t *testing.T) {
	const sent, starting = 60, 10
	for name, tc := range map[string]struct {
		visibility string
		end        func(*testing.T, *process)
	}{
		"stopped": {"1h", func(t *testing.T, p *process) {
			t.Helper()
			p.terminate(t)
			visible, hidden := inQueue(t)
			require.Equal(t, []int{sent, 0}, []int{visible, hidden})
		}},
		"killed": {"5s", func(t *testing.T, p *process) {
			t.Helper()
			p.signal(t, syscall.SIGKILL)
			<-p.ended
			_, hidden := inQueue(t)
			require.Positive(t, hidden, "control: SQS hides them for a while")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			waitEmptyQueue(t)
			for _, w := range workers() {
				pause(t, w)
			}
			s := newSource(t, 1000, nil)
			temporal := newFaultyProxy(t, proxy.NewServer(), "temporal", sys.TemporalAddress())
			config := editedConfig(t, func(settingsTree) {})
			bridge := startProcess(t, "ending-bridge", sys.Binary(), strings.Fields("worker --no-copy --config "+config),
				"TEMPORAL_ADDRESS="+temporal.Addr(), "CLOUD_MIRROR_WORKER_RECEIVERS=1", "CLOUD_MIRROR_WORKER_INTAKE=50", "CLOUD_MIRROR_SQS_VISIBILITY_TIMEOUT="+tc.visibility)
			temporal.fail(hang)
			sendBurst(t, s, sent)
			eventually(t, func() bool {
				return metricAt(t, "cloud_mirror_held_messages", "http://"+bridge.admin) > starting
			}, "the bridge holds messages besides those that it starts")
			tc.end(t, bridge)
			require.Empty(t, runsOf(t, s), "control: no copy was started")
			startProcess(t, "next-worker", sys.Binary(), strings.Fields("worker --pool s3_"+west+" --config "+config))
			eventually(t, func() bool { return len(runsOf(t, s)) == sent }, "another bridge starts all copies")
			waitIdle(t, s)
			require.Equal(t, sent, s.count(http.MethodGet), "each is copied once")
			visible, hidden := inQueue(t)
			require.Zero(t, visible+hidden)
		})
	}
}
