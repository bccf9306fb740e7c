package schedules_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/worker/schedules"
	"github.com/cloud-mirror/cloud-mirror/workflows"
)

// deployment is a deployment with two pools, on a real Temporal server.
type deployment struct {
	schedules.Options
	west, east string // ids of the schedules
}

func newDeployment(t *testing.T) deployment {
	t.Helper()
	address := os.Getenv("CM_TEST_TEMPORAL_ADDRESS")
	require.NotEmpty(t, address, "this test needs a Temporal server: run `make test`, or set CM_TEST_TEMPORAL_ADDRESS")
	c, err := client.Dial(client.Options{HostPort: address})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	unique := fmt.Sprint(time.Now().UnixNano())
	d := deployment{Options: schedules.Options{
		Client: c.ScheduleClient(), Deployment: "queue-" + unique,
		Pools: []string{"s3_west" + unique, "s3_east" + unique},
	}}
	d.west, d.east = workflows.SweepID(d.Pools[0]), workflows.SweepID(d.Pools[1])
	t.Cleanup(func() {
		for _, id := range []string{d.west, d.east} {
			_ = d.Client.GetHandle(t.Context(), id).Delete(context.WithoutCancel(t.Context()))
		}
	})
	return d
}

// setup returns the lines of a set-up about the deployment's own schedules.
func (d deployment) setup(t *testing.T, dryRun bool) (lines []string) {
	t.Helper()
	all, err := schedules.Setup(t.Context(), d.Options, dryRun)
	require.NoError(t, err)
	for _, line := range all {
		line = strings.TrimPrefix(line, "Temporal schedule ")
		if strings.HasPrefix(line, d.west) || strings.HasPrefix(line, d.east) {
			lines = append(lines, strings.NewReplacer(d.west, "west", d.east, "east").Replace(line))
		}
	}
	return lines
}

func (d deployment) describe(t *testing.T, id string) client.Schedule {
	t.Helper()
	out, err := d.Client.GetHandle(t.Context(), id).Describe(t.Context())
	require.NoError(t, err)
	return out.Schedule
}

// listed waits until Temporal's list has the schedule, or no longer has it.
func (d deployment) listed(t *testing.T, id string, want bool) {
	t.Helper()
	require.Eventually(t, func() bool {
		list, err := d.Client.List(t.Context(), client.ScheduleListOptions{PageSize: 1000})
		require.NoError(t, err)
		for list.HasNext() {
			entry, err := list.Next()
			require.NoError(t, err)
			if entry.ID == id {
				return want
			}
		}
		return !want
	}, 20*time.Second, 20*time.Millisecond)
}

func TestSetupCreatesSchedulesOnce(t *testing.T) {
	d := newDeployment(t)
	require.Equal(t, []string{"west: would create it", "east: would create it"}, d.setup(t, true))
	_, err := d.Client.GetHandle(t.Context(), d.west).Describe(t.Context())
	require.Error(t, err, "a dry run created a schedule")
	require.Equal(t, []string{"west: created, every 1h0m0s", "east: created, every 1h0m0s"}, d.setup(t, false))
	same := []string{"west: exists as configured", "east: exists as configured"}
	require.Equal(t, same, d.setup(t, false))
	require.Equal(t, same, d.setup(t, true))
	s := d.describe(t, d.west)
	require.Equal(t, 5*time.Minute, s.Spec.Jitter)
	require.Equal(t, 10*time.Minute, s.Policy.CatchupWindow)
	require.Equal(t, enums.SCHEDULE_OVERLAP_POLICY_SKIP, s.Policy.Overlap)
}

func TestSetupUpdatesChangedSchedules(t *testing.T) {
	d := newDeployment(t)
	d.setup(t, false)
	handle := d.Client.GetHandle(t.Context(), d.west)
	require.NoError(t, handle.Pause(t.Context(), client.SchedulePauseOptions{Note: "paused by a person"}))
	original := d.describe(t, d.west)
	require.Equal(t, []string{"west: exists as configured", "east: exists as configured"}, d.setup(t, false))
	action := func(change func(*client.ScheduleWorkflowAction)) func(*client.Schedule) {
		return func(s *client.Schedule) { change(s.Action.(*client.ScheduleWorkflowAction)) }
	}
	for name, change := range map[string]func(*client.Schedule){
		"interval": func(s *client.Schedule) {
			s.Spec.Intervals = []client.ScheduleIntervalSpec{{Every: 24 * time.Hour}}
		},
		"jitter":          func(s *client.Schedule) { s.Spec.Jitter = 0 },
		"catch-up window": func(s *client.Schedule) { s.Policy.CatchupWindow = 365 * 24 * time.Hour },
		"policy":          func(s *client.Schedule) { s.Policy.Overlap = enums.SCHEDULE_OVERLAP_POLICY_ALLOW_ALL },
		"workflow":        action(func(a *client.ScheduleWorkflowAction) { a.Workflow = "CopyObject" }),
		"task queue":      action(func(a *client.ScheduleWorkflowAction) { a.TaskQueue = "another" }),
		"arguments": action(func(a *client.ScheduleWorkflowAction) {
			a.Args = []any{activities.SweepInput{OlderThan: time.Minute}}
		}),
		"summary":   action(func(a *client.ScheduleWorkflowAction) { a.StaticSummary = "another" }),
		"memo":      action(func(a *client.ScheduleWorkflowAction) { a.Memo = nil }),
		"time-outs": action(func(a *client.ScheduleWorkflowAction) { a.WorkflowExecutionTimeout = 0 }),
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, handle.Update(t.Context(), client.ScheduleUpdateOptions{
				DoUpdate: func(in client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
					change(&in.Description.Schedule)
					return &client.ScheduleUpdate{Schedule: &in.Description.Schedule}, nil
				},
			}))
			changed := d.describe(t, d.west)
			require.NotEqual(t, original, changed)
			require.Equal(t, "west: would set ["+name+"]", d.setup(t, true)[0])
			require.Equal(t, changed, d.describe(t, d.west), "a dry run changed the schedule")
			require.Equal(t, []string{"west: set [" + name + "]", "east: exists as configured"}, d.setup(t, false))
			require.Equal(t, "west: exists as configured", d.setup(t, false)[0])
			now := d.describe(t, d.west)
			require.Equal(t, original, now)
			require.True(t, now.State.Paused)
			require.Equal(t, "paused by a person", now.State.Note)
		})
	}
}

// Two deployments with a pool of the same region would take each other's tasks.
func TestSetupLeavesTheScheduleOfAnotherDeployment(t *testing.T) {
	d := newDeployment(t)
	d.setup(t, false)
	before := d.describe(t, d.west)
	other := d.Options
	other.Deployment = "another-queue"
	for _, dryRun := range []bool{true, false} {
		_, err := schedules.Setup(t.Context(), other, dryRun)
		require.ErrorContains(t, err, `belongs to the deployment with the queue "`+d.Deployment+`"`)
		require.Equal(t, before, d.describe(t, d.west))
	}
}

// Another deployment may share the namespace, and so may other applications.
func TestSetupDeletesOnlyItsOwnSchedules(t *testing.T) {
	d := newDeployment(t)
	d.setup(t, false)
	other := newDeployment(t)
	other.setup(t, false)
	create := func(id, workflow string, memo map[string]any) string {
		_, err := d.Client.Create(t.Context(), client.ScheduleOptions{
			ID: id, Paused: true, Spec: client.ScheduleSpec{Intervals: []client.ScheduleIntervalSpec{{Every: time.Hour}}},
			Action: &client.ScheduleWorkflowAction{ID: id, Workflow: workflow, TaskQueue: "none", Memo: memo},
		})
		require.NoError(t, err)
		t.Cleanup(func() { _ = d.Client.GetHandle(t.Context(), id).Delete(context.WithoutCancel(t.Context())) })
		d.listed(t, id, true)
		return id
	}
	ours := map[string]any{"cloud-mirror-deployment": d.Deployment}
	foreign := []string{
		create(d.west+"-invoices", "SweepInvoices", ours),
		create("nightly-"+d.west, "SweepUploads", ours),
		other.west,
	}
	old := create(d.west+"-old", "SweepUploads", nil)
	d.listed(t, d.east, true)

	d.Pools = d.Pools[:1]
	reported := "west-old: left: its pool is not configured, and it does not name its deployment. " +
		"If it is not another's, run `temporal schedule delete --schedule-id west-old`"
	require.ElementsMatch(t, []string{
		"west: exists as configured", "east: would delete it: its pool is not configured", reported,
	}, d.setup(t, true))
	d.describe(t, d.east)
	require.ElementsMatch(t, []string{
		"west: exists as configured", "east: deleted: its pool is not configured", reported,
	}, d.setup(t, false))
	_, err := d.Client.GetHandle(t.Context(), d.east).Describe(t.Context())
	require.Error(t, err)
	for _, id := range append(foreign, old, d.west) {
		d.describe(t, id)
	}
	d.listed(t, d.east, false)
	require.ElementsMatch(t, []string{"west: exists as configured", reported}, d.setup(t, false))
}

// The list of Temporal has pages.
func TestSetupDeletesMoreSchedulesThanAPageHolds(t *testing.T) {
	const gone = 60
	d := newDeployment(t)
	all := d
	for i := range gone {
		all.Pools = append(all.Pools, fmt.Sprintf("%s-%d", d.Pools[0], i))
	}
	require.Len(t, all.setup(t, false), gone+2)
	for _, pool := range all.Pools {
		d.listed(t, workflows.SweepID(pool), true)
	}
	deleted := 0
	for _, line := range d.setup(t, false) {
		if strings.HasSuffix(line, ": deleted: its pool is not configured") {
			deleted++
		}
	}
	require.Equal(t, gone, deleted)
	for _, pool := range all.Pools[2:] {
		_, err := d.Client.GetHandle(t.Context(), workflows.SweepID(pool)).Describe(t.Context())
		require.Error(t, err)
	}
}
