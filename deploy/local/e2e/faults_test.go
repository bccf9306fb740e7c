package e2e

import (
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/auditor"
)

func TestStoppedWorker(t *testing.T) {
	s := newSource(t, 1000, nil)
	object := s.object()
	require.NoError(t, sys.Stop("worker-us-east-1"))
	a := ask(t, east, object, "?max_wait=2s")
	require.Equal(t, 302, a.status)
	require.Equal(t, object, a.location)
	require.Equal(t, "Cached copy did not show up in 2s", a.body.Msg)
	require.GreaterOrEqual(t, a.took, 2*time.Second)
	require.Less(t, a.took, 10*time.Second)
	require.NoError(t, sys.Resume("worker-us-east-1"))
	eventually(t, func() bool { return s.count(http.MethodGet) == 1 }, "the copy is made without another request")
	waitClosed(t, east, object, 1, enums.WORKFLOW_EXECUTION_STATUS_COMPLETED)
	again := ask(t, east, object, "?max_wait=0")
	requireCopy(t, s, east, again)
}

func TestStoppedBridges(t *testing.T) {
	s := newSource(t, 1000, nil)
	object := s.object()
	for _, w := range workers() {
		require.NoError(t, sys.Stop(w))
	}
	a := ask(t, west, object, "?max_wait=1s")
	require.Equal(t, object, a.location)
	for _, w := range workers() {
		require.NoError(t, sys.Resume(w))
	}
	waitClosed(t, west, object, 1, enums.WORKFLOW_EXECUTION_STATUS_COMPLETED)
	requireCopy(t, s, west, ask(t, west, object, "?max_wait=0"))
}

func TestKilledWorker(t *testing.T) {
	s := newSlowSource(t, 1<<20)
	object := s.object()
	ask(t, central, object, "?max_wait=0")
	eventually(t, func() bool { return s.count(http.MethodGet) == 1 }, "the copy runs")
	require.NoError(t, sys.Kill("worker-eu-central-1"))
	a := ask(t, central, object, "?max_wait=1m")
	requireCopy(t, s, central, a)
	workflows(t, central, object, 1)
	require.NoError(t, sys.WaitReady(background(t), "worker-eu-central-1"))
}

func TestTerminatedWorkerHandsOver(t *testing.T) {
	s := newSlowSource(t, 1<<20)
	object := s.object()
	ask(t, central, object, "?max_wait=0")
	eventually(t, func() bool { return s.count(http.MethodGet) == 1 }, "the copy runs")
	start := time.Now()
	require.NoError(t, sys.Stop("worker-eu-central-1"))
	require.Less(t, time.Since(start), 10*time.Second)
	require.NoError(t, sys.Resume("worker-eu-central-1"))
	requireCopy(t, s, central, ask(t, central, object, ""))
	w := waitClosed(t, central, object, 1, enums.WORKFLOW_EXECUTION_STATUS_COMPLETED)
	for _, e := range events(t, w) {
		if a := e.GetActivityTaskStartedEventAttributes(); a.GetLastFailure() != nil {
			require.Equal(t, "HandedOver", a.GetLastFailure().GetApplicationFailureInfo().GetType())
			return
		}
	}
	require.Fail(t, "the copy was not handed over")
}

func TestTemporalStopped(t *testing.T) {
	s := newSource(t, 1000, nil)
	object := s.object()
	require.NoError(t, sys.Stop("temporal"))
	require.Equal(t, object, ask(t, west, object, "?max_wait=1s").location)
	require.NoError(t, sys.Resume("temporal"))
	eventually(t, func() bool { return s.count(http.MethodGet) == 1 }, "the copy is made without another request")
	eventually(t, func() bool { return ask(t, west, object, "?max_wait=0").isCopy() }, "clients get the copy")
}

func TestRedisDown(t *testing.T) {
	s := newSource(t, 1000, nil)
	old, fresh := s.object(), s.object()
	requireCopy(t, s, west, ask(t, west, old, ""))
	for name, actions := range map[string][2]func() error{
		"stopped": {func() error { return sys.Stop("redis") }, func() error { return sys.Resume("redis") }},
		"hung": {
			func() error { return sys.Signal("redis", syscall.SIGSTOP) },
			func() error { return sys.Signal("redis", syscall.SIGCONT) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, actions[0]())
			resumed := false
			defer func() {
				if !resumed {
					_ = actions[1]()
				}
			}()
			requireCopy(t, s, west, ask(t, west, old, ""))
			requireCopy(t, s, west, ask(t, west, fresh, ""))
			require.NoError(t, actions[1]())
			resumed = true
			require.NoError(t, sys.WaitReady(background(t), "redis"))
			fresh = s.object()
			// Redis wakes waiting clients again.
			eventually(t, func() bool { return ask(t, west, s.object(), "?max_wait=5s").isCopy() }, "a waiting client gets the copy")
		})
	}
}

func TestSQSStopped(t *testing.T) {
	s := newSource(t, 1000, nil)
	object := s.object()
	require.NoError(t, sys.Stop("sqs"))
	a := ask(t, west, object, "")
	require.Equal(t, object, a.location)
	require.Equal(t, "Cached copy could not be requested", a.body.Msg)
	require.Less(t, a.took, 10*time.Second)
	require.NoError(t, sys.Resume("sqs"))
	eventually(t, func() bool { return ask(t, west, object, "?max_wait=5s").isCopy() }, "a later request gets the copy")
}

func TestStoppedFrontEndRedirectsItsClients(t *testing.T) {
	s := newSource(t, 1000, func(_ *source, w http.ResponseWriter, r *http.Request, _ int) {
		<-r.Context().Done()
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	object := s.object()
	answers := make(chan answer, 1)
	go func() {
		if a, err := request(http.MethodGet, redirectURL(1, west, object, ""), ""); err == nil {
			answers <- a
		}
		close(answers)
	}()
	eventually(t, func() bool { return metric(t, "cloud_mirror_waiting_clients", "frontend-2") == 1 }, "the client waits")
	require.NoError(t, sys.Stop("frontend-2"))
	require.NoError(t, sys.Resume("frontend-2"))
	a := <-answers
	require.Equal(t, 302, a.status)
	require.Equal(t, object, a.location)
	s.CloseClientConnections()
}

func TestMalformedMessagesBecomeDeadLetters(t *testing.T) {
	s := newSource(t, 1000, nil)
	s.excepts(auditor.Secrets, "the test puts the secret into dead letters, which keep their bodies")
	object := s.object()
	c := newQueues()
	main, dead := queueURL(t, c, "cloud-mirror"), queueURL(t, c, "cloud-mirror_dead")
	bad := map[string]string{ // By reason
		"not JSON":                  "{" + secret,
		"version is 3, want 1 or 2": `{"version":3,"data":{}}`,
		"data is missing":           `{"version":1}`,
		"data.id is not the id of a configured pool":                        `{"version":1,"data":{"id":"s3_mars-1","url":"` + object + `","action":"put"}}`,
		`data.action is not "put", "purge", "audit", "refresh" or "delete"`: `{"version":1,"data":{"id":"s3_us-west-2","url":"` + object + `","action":"eat"}}`,
	}
	batch := &sqs.SendMessageBatchInput{QueueUrl: main}
	add := func(id, body string) {
		batch.Entries = append(batch.Entries, types.SendMessageBatchRequestEntry{Id: &id, MessageBody: &body})
	}
	for _, body := range bad {
		add("bad"+string(rune('a'+len(batch.Entries))), body)
	}
	// The bridge tolerates unknown extra fields.
	add("good", `{"version":1,"data":{"id":"s3_us-west-2","url":"`+object+`","action":"put","x":1},"y":2}`)
	sent := time.Now()
	out, err := c.SendMessageBatch(t.Context(), batch)
	require.NoError(t, err)
	require.Empty(t, out.Failed)

	reasons := map[string]string{}
	eventually(t, func() bool {
		got, err := c.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{
			QueueUrl: dead, MaxNumberOfMessages: 10, MessageAttributeNames: []string{"All"},
		})
		require.NoError(t, err)
		for _, m := range got.Messages {
			reasons[aws.ToString(m.MessageAttributes["reason"].StringValue)] = aws.ToString(m.Body)
		}
		return len(reasons) == len(bad)
	}, "all malformed messages become dead letters")
	require.Equal(t, bad, reasons)
	t.Logf("dead letters after %s", time.Since(sent)) // About a second, unless the machine is busy
	require.Less(t, time.Since(sent), 10*time.Second)
	eventually(t, func() bool { return s.count(http.MethodGet) == 1 }, "the valid message of the batch makes its copy")
}
