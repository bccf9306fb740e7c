package schedules

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/workflows"
)

const (
	// Jitter is the longest random delay of a sweep.
	Jitter = 5 * time.Minute
	// CatchupWindow is how late a sweep may start, for example after an outage of Temporal.
	CatchupWindow = 10 * time.Minute
)

const (
	// memoDeployment is the memo of a sweep that names its deployment.
	memoDeployment = "cloud-mirror-deployment"
	// sweepType is the workflow type of a sweep.
	sweepType = "SweepUploads"
	// pageSize is the number of schedules in a page of the list.
	pageSize = 50
)

// Options configures [Setup]. All fields except Converter are required.
type Options struct {
	Client client.ScheduleClient
	// Converter is the data converter of Client. Nil is the SDK's default.
	Converter converter.DataConverter
	// Deployment is a name that no other deployment in the namespace has.
	Deployment string
	// Pools are the ids of all pools of the deployment.
	Pools []string
}

// Setup creates a schedule for each pool that sweeps its bucket. It updates schedules with another
// definition, and deletes those of pools that are gone. It returns lines about the schedules, for
// people to read. With dryRun it changes nothing and returns the changes that it would make.
func Setup(ctx context.Context, o Options, dryRun bool) (lines []string, err error) {
	if o.Converter == nil {
		o.Converter = converter.GetDefaultDataConverter()
	}
	for _, pool := range o.Pools {
		line, err := o.ensure(ctx, pool, dryRun)
		if err != nil {
			return lines, err
		}
		lines = append(lines, line)
	}
	more, err := o.removeOthers(ctx, dryRun)
	return append(lines, more...), err
}

func title(id string) string { return "Temporal schedule " + id + ": " }

// ensure creates or updates the schedule of one pool.
func (o Options) ensure(ctx context.Context, pool string, dryRun bool) (string, error) {
	want := o.sweep(pool)
	line := title(want.ID)
	handle := o.Client.GetHandle(ctx, want.ID)
	have, err := handle.Describe(ctx)
	if _, missing := errors.AsType[*serviceerror.NotFound](err); missing {
		if dryRun {
			return line + "would create it", nil
		}
		_, err := o.Client.Create(ctx, want)
		if err != nil && !errors.Is(err, temporal.ErrScheduleAlreadyRunning) {
			return "", fmt.Errorf("create schedule %s: %w", want.ID, err)
		}
		return line + "created, every " + workflows.SweepInterval.String(), nil
	}
	if err != nil {
		return "", fmt.Errorf("describe schedule %s: %w", want.ID, err)
	}
	if owner := o.ownerOf(have.Schedule); owner != "" && owner != o.Deployment {
		return "", fmt.Errorf("schedule %s belongs to the deployment with the queue %q: give each deployment a Temporal namespace of its own; "+
			"if sqs.queue was renamed, run `temporal schedule delete --schedule-id %s` and setup again", want.ID, owner, want.ID)
	}
	changed := o.differences(have.Schedule, want)
	switch {
	case len(changed) == 0:
		return line + "exists as configured", nil
	case dryRun:
		return fmt.Sprintf("%swould set %v", line, changed), nil
	}
	err = handle.Update(ctx, client.ScheduleUpdateOptions{
		DoUpdate: func(in client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
			s := in.Description.Schedule // Its state holds the pause and the note.
			s.Spec, s.Action = &want.Spec, want.Action
			s.Policy = &client.SchedulePolicies{Overlap: want.Overlap, CatchupWindow: want.CatchupWindow}
			return &client.ScheduleUpdate{Schedule: &s}, nil
		},
	})
	if err != nil {
		return "", fmt.Errorf("update schedule %s: %w", want.ID, err)
	}
	return fmt.Sprintf("%sset %v", line, changed), nil
}

// sweep returns the schedule of a pool.
func (o Options) sweep(pool string) client.ScheduleOptions {
	id := workflows.SweepID(pool)
	return client.ScheduleOptions{
		ID: id,
		Spec: client.ScheduleSpec{
			Intervals: []client.ScheduleIntervalSpec{{Every: workflows.SweepInterval}},
			Jitter:    Jitter,
		},
		Overlap:       enums.SCHEDULE_OVERLAP_POLICY_SKIP,
		CatchupWindow: CatchupWindow,
		Action: &client.ScheduleWorkflowAction{
			ID:                       id,
			Workflow:                 sweepType,
			Args:                     []any{activities.SweepInput{Pool: pool, OlderThan: workflows.SweepAge}},
			TaskQueue:                workflows.TaskQueue(pool),
			WorkflowExecutionTimeout: workflows.SweepTimeout,
			StaticSummary:            "abort uploads of " + pool + " that no running copy owns",
			Memo:                     map[string]any{memoDeployment: o.Deployment},
		},
	}
}

// differences names the fields in which a schedule differs from its definition.
func (o Options) differences(have client.Schedule, want client.ScheduleOptions) (changed []string) {
	add := func(same bool, name string) {
		if !same {
			changed = append(changed, name)
		}
	}
	spec, policy := have.Spec, have.Policy
	add(reflect.DeepEqual(spec.Intervals, want.Spec.Intervals) && len(spec.Calendars)+len(spec.Skip) == 0 &&
		spec.StartAt.IsZero() && spec.EndAt.IsZero(), "interval")
	add(spec.Jitter == want.Spec.Jitter, "jitter")
	add(policy.CatchupWindow == want.CatchupWindow, "catch-up window")
	add(policy.Overlap == want.Overlap && !policy.PauseOnFailure, "policy")
	w := want.Action.(*client.ScheduleWorkflowAction) //nolint:forcetypeassert // made by sweep
	h, ok := have.Action.(*client.ScheduleWorkflowAction)
	if !ok {
		return append(changed, "action")
	}
	add(h.ID == w.ID && h.Workflow == w.Workflow, "workflow")
	add(h.TaskQueue == w.TaskQueue, "task queue")
	add(o.sameArgs(h.Args, w.Args), "arguments")
	add(h.StaticSummary == w.StaticSummary && h.StaticDetails == "", "summary")
	add(o.deploymentOf(h) == o.Deployment && len(h.Memo) == 1 && o.sameEncoding(h.Memo[memoDeployment], o.Deployment), "memo")
	add(h.WorkflowExecutionTimeout == w.WorkflowExecutionTimeout && h.WorkflowRunTimeout+h.WorkflowTaskTimeout == 0 &&
		h.RetryPolicy == nil, "time-outs")
	return changed
}

// sameArgs compares the arguments of a schedule, which Temporal returns encoded.
func (o Options) sameArgs(have, want []any) bool {
	if len(have) != len(want) {
		return false
	}
	for i, arg := range have {
		payload, ok := arg.(*common.Payload)
		decoded := reflect.New(reflect.TypeOf(want[i]))
		if !ok || o.Converter.FromPayload(payload, decoded.Interface()) != nil ||
			!reflect.DeepEqual(decoded.Elem().Interface(), want[i]) || !o.sameEncoding(payload, want[i]) {
			return false
		}
	}
	return true
}

// sameEncoding reports whether the payload has the encoding, and the key, in which the converter
// writes the value. A schedule keeps its payloads for ever, so it must not need a former key.
func (o Options) sameEncoding(have, value any) bool {
	payload, ok := have.(*common.Payload)
	want, err := o.Converter.ToPayload(value)
	return ok && err == nil && reflect.DeepEqual(payload.GetMetadata(), want.GetMetadata())
}

// deploymentOf returns the deployment that a sweep belongs to. It is empty if an earlier build made
// the schedule.
func (o Options) deploymentOf(a *client.ScheduleWorkflowAction) (name string) {
	if payload, ok := a.Memo[memoDeployment].(*common.Payload); !ok || o.Converter.FromPayload(payload, &name) != nil {
		return ""
	}
	return name
}

// ownerOf returns the deployment that a schedule belongs to, or nothing if it names none.
func (o Options) ownerOf(s client.Schedule) string {
	if a, ok := s.Action.(*client.ScheduleWorkflowAction); ok {
		return o.deploymentOf(a)
	}
	return ""
}

// removeOthers deletes this deployment's sweeps of pools that are gone. A sweep without a
// deployment may be another's: it is reported.
func (o Options) removeOthers(ctx context.Context, dryRun bool) (lines []string, err error) {
	configured := map[string]bool{}
	for _, pool := range o.Pools {
		configured[workflows.SweepID(pool)] = true
	}
	list, err := o.Client.List(ctx, client.ScheduleListOptions{PageSize: pageSize})
	if err != nil {
		return nil, fmt.Errorf("list schedules: %w", err)
	}
	var ids []string
	for list.HasNext() {
		entry, err := list.Next()
		if err != nil {
			return nil, fmt.Errorf("list schedules: %w", err)
		}
		if strings.HasPrefix(entry.ID, workflows.SweepID("")) && entry.WorkflowType.Name == sweepType && !configured[entry.ID] {
			ids = append(ids, entry.ID)
		}
	}
	for _, id := range ids {
		line, err := o.remove(ctx, id, dryRun)
		if err != nil {
			return lines, err
		}
		if line != "" {
			lines = append(lines, line)
		}
	}
	return lines, nil
}

// remove deletes a sweep that belongs to this deployment.
func (o Options) remove(ctx context.Context, id string, dryRun bool) (string, error) {
	handle := o.Client.GetHandle(ctx, id)
	have, err := handle.Describe(ctx)
	if _, missing := errors.AsType[*serviceerror.NotFound](err); missing {
		return "", nil // The list lags behind.
	}
	if err != nil {
		return "", fmt.Errorf("describe schedule %s: %w", id, err)
	}
	action, ok := have.Schedule.Action.(*client.ScheduleWorkflowAction)
	switch {
	case !ok || action.ID != id:
		return "", nil
	case o.deploymentOf(action) == "":
		return title(id) + "left: its pool is not configured, and it does not name its deployment. " +
			"If it is not another's, run `temporal schedule delete --schedule-id " + id + "`", nil
	case o.deploymentOf(action) != o.Deployment:
		return "", nil
	case dryRun:
		return title(id) + "would delete it: its pool is not configured", nil
	}
	if err := handle.Delete(ctx); err != nil {
		return "", fmt.Errorf("delete schedule %s: %w", id, err)
	}
	return title(id) + "deleted: its pool is not configured", nil
}
