package worker_test

import (
	"context"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/client"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/activities/copier"
	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
	"github.com/cloud-mirror/cloud-mirror/workflows"
)

// TestCopyOfAnEarlierBuild has a copy run under the id that an earlier build gave it. It gets
// requests and purges. If it has closed, the bridge starts another run.
func TestCopyOfAnEarlierBuild(t *testing.T) {
	for name, tc := range map[string]struct {
		action queue.Action
		closed bool
		starts int
		want   []string // The signals to the earlier id
	}{
		"a request":                   {queue.Put, false, 0, []string{workflows.RequestSignal}},
		"a request, after its end":    {queue.Put, true, 1, []string{workflows.RequestSignal}},
		"a purge":                     {queue.Cancel, false, 0, []string{workflows.PurgeSignal}},
		"control: a purge after that": {queue.Cancel, true, 0, []string{workflows.PurgeSignal}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			d := &temporalDouble{
				start:  func(client.StartWorkflowOptions, workflows.CopyObjectInput) error { return nil },
				signal: func(string, string, string, any) error { return serviceerror.NewNotFound("no such run") },
			}
			d.earlier = func(id, name string, _ any) error {
				require.True(t, strings.HasPrefix(id, "s3_us-west-2/example.com/a.zip/"), id)
				got = append(got, name)
				if tc.closed {
					return serviceerror.NewNotFound("workflow execution already completed")
				}
				return nil
			}
			b, _ := newBridge(t, d)
			require.NoError(t, b.Handle(t.Context(), request(tc.action)))
			require.Equal(t, tc.want, got)
			require.Len(t, d.started, tc.starts)
		})
	}
}

var bucketSpace = cache.NewSpace("cm", "s3_us-west-2", "", "bucket-w")

// TestLazyBridgeStartsNoWorkflowEagerly: Temporal knows which build is current, and this process
// does not.
func TestLazyBridgeStartsNoWorkflowEagerly(t *testing.T) {
	d := &temporalDouble{start: func(client.StartWorkflowOptions, workflows.CopyObjectInput) error { return nil }}
	b, _ := newBridge(t, d)
	for _, lazy := range []bool{false, true} {
		b.Lazy = lazy
		require.NoError(t, b.Handle(t.Context(), request(queue.Put)))
		require.Equal(t, !lazy, d.started[len(d.started)-1].EnableEagerStart)
	}
	require.Len(t, d.started, 2)
}

func TestPutStartsAWorkflowWithoutSecrets(t *testing.T) {
	d := &temporalDouble{start: func(_ client.StartWorkflowOptions, in workflows.CopyObjectInput) error {
		data, err := json.Marshal(in)
		require.NoError(t, err)
		require.NotContains(t, string(data), "secret")
		require.Equal(t, bucketSpace.Bucket(), in.Source.Bucket)
		return nil
	}}
	b, _ := newBridge(t, d)
	require.NoError(t, b.Handle(t.Context(), request(queue.Put)))
	require.Len(t, d.started, 1)
	o := d.started[0]
	require.Equal(t, "copy-s3_us-west-2", o.TaskQueue)
	require.Equal(t, 5*time.Second, o.WorkflowTaskTimeout, "a worker that dies in a task is noticed soon")
	require.True(t, strings.HasPrefix(o.ID, "s3_us-west-2/example.com/a.zip/"), o.ID)
	require.Equal(t, enums.WORKFLOW_ID_CONFLICT_POLICY_FAIL, o.WorkflowIDConflictPolicy)
	require.True(t, o.WorkflowExecutionErrorWhenAlreadyStarted, "the client hides the conflict")
	require.Equal(t, enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE, o.WorkflowIDReusePolicy)
	require.NotContains(t, o.StaticSummary, "secret")
	host, _ := o.TypedSearchAttributes.GetKeyword(workflows.HostAttribute())
	require.Equal(t, "example.com", host)
}

func TestDigestIsPassedOn(t *testing.T) {
	for _, digest := range []string{"", strings.Repeat("0a", 32)} {
		d := &temporalDouble{start: func(_ client.StartWorkflowOptions, in workflows.CopyObjectInput) error {
			require.Equal(t, digest, in.SHA256)
			return nil
		}}
		b, _ := newBridge(t, d)
		r := request(queue.Put)
		r.SHA256 = digest
		require.NoError(t, b.Handle(t.Context(), r))
		require.Len(t, d.started, 1)
	}
}

func TestMinimumIsPassedOn(t *testing.T) {
	for _, minSize := range []int64{0, 1000} {
		d := &temporalDouble{start: func(_ client.StartWorkflowOptions, in workflows.CopyObjectInput) error {
			require.Equal(t, minSize, in.MinSize)
			return nil
		}}
		b, _ := newBridge(t, d)
		r := request(queue.Put)
		r.MinSize = minSize
		require.NoError(t, b.Handle(t.Context(), r))
		require.Len(t, d.started, 1)
	}
}

// TestPriorityIsPassedOn leaves the workflow's own tasks at the default priority: only activities
// may wait.
func TestPriorityIsPassedOn(t *testing.T) {
	for priority, low := range map[queue.Priority]bool{"": false, queue.Low: true} {
		d := &temporalDouble{start: func(_ client.StartWorkflowOptions, in workflows.CopyObjectInput) error {
			require.Equal(t, low, in.Low)
			return nil
		}}
		b, _ := newBridge(t, d)
		r := request(queue.Put)
		r.Priority = priority
		require.NoError(t, b.Handle(t.Context(), r))
		require.Zero(t, d.started[0].Priority.PriorityKey)
		require.Equal(t, "example.com", d.started[0].Priority.FairnessKey)
	}
}

// TestRequestOfARunningCopy signals the very run that keeps the workflow from starting. If that run
// has closed meanwhile, the workflow starts.
func TestRequestOfARunningCopy(t *testing.T) {
	pending := func(p *activities.Progress) *workflow.PendingActivityInfo {
		var info workflow.PendingActivityInfo
		if p != nil {
			details, err := encrypting(t).ToPayloads(p)
			require.NoError(t, err)
			info.HeartbeatDetails = details
		}
		return &info
	}
	progress := func(p activities.Progress) *workflow.PendingActivityInfo { return pending(&p) }
	garbage := &workflow.PendingActivityInfo{HeartbeatDetails: &common.Payloads{Payloads: []*common.Payload{{Data: []byte("?")}}}}
	digest := strings.Repeat("0a", 32)
	for name, tc := range map[string]struct {
		pending *workflow.PendingActivityInfo
		request queue.Request
		closes  int // How many runs close before they get the signal
		want    workflows.Request
	}{
		"which is queued":               {pending(nil), queue.Request{}, 0, workflows.Request{Idle: true}},
		"which waits for its turn":      {progress(activities.Progress{Total: -1, Free: 3}), queue.Request{}, 0, workflows.Request{Idle: true}},
		"which stored a part":           {progress(activities.Progress{Done: 1}), queue.Request{}, 0, workflows.Request{}},
		"which has an upload":           {progress(activities.Progress{Resume: copier.State{Upload: "a"}}), queue.Request{}, 0, workflows.Request{}},
		"which is one stream":           {progress(activities.Progress{Resume: copier.State{Stream: true}}), queue.Request{}, 0, workflows.Request{}},
		"of a later build":              {garbage, queue.Request{}, 0, workflows.Request{}},
		"which is about to close":       {nil, queue.Request{}, 0, workflows.Request{Idle: true}},
		"by a list":                     {pending(nil), queue.Request{Priority: queue.Low}, 0, workflows.Request{Low: true}},
		"with a digest":                 {pending(nil), queue.Request{SHA256: digest}, 0, workflows.Request{SHA256: digest, Idle: true}},
		"with a minimum":                {pending(nil), queue.Request{MinSize: 7}, 0, workflows.Request{MinSize: 7, Idle: true}},
		"which closes":                  {pending(nil), queue.Request{}, 1, workflows.Request{Idle: true}},
		"which closes, again and again": {pending(nil), queue.Request{}, 3, workflows.Request{Idle: true}},
	} {
		t.Run(name, func(t *testing.T) {
			runs, signals := 0, 0
			d := &temporalDouble{pending: tc.pending}
			d.start = func(client.StartWorkflowOptions, workflows.CopyObjectInput) error {
				runs++
				return serviceerror.NewWorkflowExecutionAlreadyStarted("", "", "run "+strconv.Itoa(runs))
			}
			d.signal = func(id, run, signal string, arg any) error {
				require.True(t, strings.HasPrefix(id, "s3_us-west-2/example.com/a.zip/"))
				require.Equal(t, "run "+strconv.Itoa(runs), run)
				require.Equal(t, workflows.RequestSignal, signal)
				require.Equal(t, tc.want, arg)
				if signals++; signals <= tc.closes {
					return serviceerror.NewNotFound("workflow execution already completed")
				}
				return nil
			}
			b, waited := newBridge(t, d)
			r := request(queue.Put)
			r.Priority, r.SHA256, r.MinSize = tc.request.Priority, tc.request.SHA256, tc.request.MinSize
			require.NoError(t, b.Handle(t.Context(), r))
			require.Equal(t, tc.closes+1, signals)
			require.Len(t, d.started, tc.closes+1)
			require.Zero(t, *waited)
		})
	}
}

func TestRequestIsRetriedWhileTemporalIsUnavailable(t *testing.T) {
	failures := 3
	d := &temporalDouble{}
	d.start = func(client.StartWorkflowOptions, workflows.CopyObjectInput) error {
		if failures--; failures >= 0 {
			return serviceerror.NewUnavailable("unavailable")
		}
		return nil
	}
	b, waited := newBridge(t, d)
	require.NoError(t, b.Handle(t.Context(), request(queue.Put)))
	require.Equal(t, 3, *waited)
	require.Len(t, d.started, 4)
}

// TestWindowShrinksWhileTemporalAcceptsNothing has a large window, when each start exceeds its
// deadline. The clock is synctest's.
func TestWindowShrinksWhileTemporalAcceptsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &temporalDouble{start: func(client.StartWorkflowOptions, workflows.CopyObjectInput) error { return nil }}
		b, _ := newBridge(t, d)
		for range 60 {
			require.NoError(t, b.Handle(t.Context(), request(queue.Put)))
		}
		require.Greater(t, b.Window(), 10, "control: it grows")
		d.start = func(client.StartWorkflowOptions, workflows.CopyObjectInput) error {
			return serviceerror.NewDeadlineExceeded("context deadline exceeded")
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		require.Error(t, b.Handle(ctx, request(queue.Put)))
		require.Equal(t, 1, b.Window())
	})
}

// TestRequestIsRetriedUntilTemporalKnowsTheAttributes has the errors of a server right after setup:
// its services have not read the new attributes yet. The request is not at fault.
func TestRequestIsRetriedUntilTemporalKnowsTheAttributes(t *testing.T) {
	failures := []string{
		"Namespace default has no mapping defined for search attribute MirrorService", "search attribute MirrorService is not defined",
	}
	d := &temporalDouble{}
	d.start = func(client.StartWorkflowOptions, workflows.CopyObjectInput) error {
		if len(failures) == 0 {
			return nil
		}
		text := failures[0]
		failures = failures[1:]
		return serviceerror.NewInvalidArgument(text)
	}
	b, waited := newBridge(t, d)
	require.NoError(t, b.Handle(t.Context(), request(queue.Put)))
	require.Equal(t, 2, *waited)
	require.Len(t, d.started, 3)
}

func TestStoppedBridgeReturnsTheRequestToTheQueue(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	d := &temporalDouble{start: func(client.StartWorkflowOptions, workflows.CopyObjectInput) error {
		cancel()
		return serviceerror.NewUnavailable("unavailable")
	}}
	b, _ := newBridge(t, d)
	err := b.Handle(ctx, request(queue.Put))
	require.Error(t, err)
	var reject *queue.RejectError
	require.NotErrorAs(t, err, &reject)
}

func TestInvalidRequestsAreRejected(t *testing.T) {
	d := &temporalDouble{start: func(client.StartWorkflowOptions, workflows.CopyObjectInput) error {
		return serviceerror.NewInvalidArgument("no")
	}}
	b, _ := newBridge(t, d)
	evil := queue.Request{Pool: "s3_us-west-2", URL: "https://evil.example/?sig=secret", Action: queue.Put}
	unknown := queue.Request{Pool: "s3_mars-1", URL: "https://example.com/", Action: queue.Put}
	for _, tt := range []struct {
		name    string
		r       queue.Request
		reason  string
		started int
	}{
		{"Temporal", request(queue.Put), "no", 1},
		{"URL", evil, "data.url: ", 0},
		{"pool", unknown, "data.id is not the id of a configured pool", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d.started = nil
			var reject *queue.RejectError
			require.ErrorAs(t, b.Handle(t.Context(), tt.r), &reject)
			require.Contains(t, reject.Reason, tt.reason)
			require.NotContains(t, reject.Reason, "secret")
			require.Len(t, d.started, tt.started)
		})
	}
}

// TestMaintenance starts one workflow of its own for an audit or a refresh, at low priority.
func TestMaintenance(t *testing.T) {
	for action, prefix := range map[queue.Action]string{queue.Audit: "audit/", queue.Refresh: "refresh/"} {
		t.Run(string(action), func(t *testing.T) {
			d := &temporalDouble{}
			b, waited := newBridge(t, d)
			require.NoError(t, b.Handle(t.Context(), request(action)))
			require.Zero(t, *waited)
			require.Len(t, d.started, 1)
			require.Len(t, d.maintained, 1)
			o := d.started[0]
			require.True(t, strings.HasPrefix(o.ID, prefix+"s3_us-west-2/example.com/a.zip/"), o.ID)
			require.Equal(t, "copy-s3_us-west-2", o.TaskQueue)
			require.Equal(t, enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING, o.WorkflowIDConflictPolicy)
			require.Equal(t, enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE, o.WorkflowIDReusePolicy)
			require.Equal(t, 5, o.Priority.PriorityKey)
			require.Equal(t, "example.com", o.Priority.FairnessKey)
			require.Positive(t, o.WorkflowExecutionTimeout)
			data, err := json.Marshal(d.maintained[0])
			require.NoError(t, err)
			require.NotContains(t, string(data)+o.StaticSummary, "secret")
			require.Contains(t, string(data), "sealedQuery")

			d.maintainErr = serviceerror.NewInvalidArgument("no")
			var reject *queue.RejectError
			require.ErrorAs(t, b.Handle(t.Context(), request(action)), &reject)
		})
	}
}

func TestPurge(t *testing.T) {
	for name, err := range map[string]error{
		"of a running copy":          nil,
		"of no copy, the usual case": serviceerror.NewNotFound("no workflow"),
	} {
		t.Run(name, func(t *testing.T) {
			signals := 0
			d := &temporalDouble{signal: func(id, run, signal string, arg any) error {
				require.True(t, strings.HasPrefix(id, "s3_us-west-2/example.com/a.zip/"))
				require.Empty(t, run)
				require.Equal(t, workflows.PurgeSignal, signal)
				require.Equal(t, workflows.Purge{Generation: 7}, arg)
				signals++
				return err
			}}
			b, _ := newBridge(t, d)
			r := request(queue.Cancel)
			r.Generation = 7
			require.NoError(t, b.Handle(t.Context(), r))
			require.Equal(t, 1, signals)
			require.Empty(t, d.started)
		})
	}
}

// TestGenerationOfTheFutureIsRejected has a message for a copy that would survive later purges.
func TestGenerationOfTheFutureIsRejected(t *testing.T) {
	for name, tc := range map[string]struct {
		generation int64
		ok         bool
	}{
		"now":         {time.Now().UnixMilli(), true},
		"none":        {0, true},
		"an hour off": {time.Now().Add(time.Hour).UnixMilli(), true},
		"2 hours off": {time.Now().Add(2 * time.Hour).UnixMilli(), false},
		"next week":   {time.Now().Add(7 * 24 * time.Hour).UnixMilli(), false},
		"the largest": {math.MaxInt64, false},
		"negative":    {-1, false},
	} {
		t.Run(name, func(t *testing.T) {
			signals := 0
			d := &temporalDouble{signal: func(string, string, string, any) error {
				signals++
				return nil
			}}
			b, _ := newBridge(t, d)
			r := request(queue.Cancel)
			r.Generation = tc.generation
			err := b.Handle(t.Context(), r)
			if tc.ok {
				require.NoError(t, err)
				require.Equal(t, 1, signals)
				return
			}
			var reject *queue.RejectError
			require.ErrorAs(t, err, &reject)
			require.Zero(t, signals)
		})
	}
}
