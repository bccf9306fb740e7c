package auditor

import (
	"context"
	"fmt"
	"strings"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"golang.org/x/sync/errgroup"
)

// closedRun is a closed run with its history, which no longer changes.
type closedRun struct {
	run     Run
	history string
}

// readers is how many histories the auditor reads at the same time.
const readers = 8

// runs reads the runs about the hosts' objects since the start of the scenario, and their
// histories.
func (a *Auditor) runs(ctx context.Context, s Scope, e *Evidence) ([]Run, error) {
	var infos []*workflow.WorkflowExecutionInfo
	for _, host := range s.Hosts {
		// The visibility store has a precision of milliseconds.
		query := fmt.Sprintf("MirrorHost = '%s' AND StartTime >= '%s'", host, s.Since.UTC().Format("2006-01-02T15:04:05.000Z"))
		for token := []byte(nil); ; {
			out, err := a.temporal.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
				Namespace: "default", Query: query, NextPageToken: token, PageSize: 1000,
			})
			if err != nil {
				return nil, fmt.Errorf("list workflows: %w", err)
			}
			infos = append(infos, out.GetExecutions()...)
			if token = out.GetNextPageToken(); len(token) == 0 {
				break
			}
		}
	}
	all := make([]closedRun, len(infos))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(readers)
	for i, info := range infos {
		group.Go(func() (err error) {
			all[i], err = a.run(ctx, info)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var runs []Run
	for _, r := range all {
		runs = append(runs, r.run)
		e.Texts = append(e.Texts, Text{"the history of " + r.run.ID, r.history})
	}
	return runs, nil
}

func (a *Auditor) run(ctx context.Context, info *workflow.WorkflowExecutionInfo) (closedRun, error) {
	id, run := info.GetExecution().GetWorkflowId(), info.GetExecution().GetRunId()
	a.mu.Lock()
	known, ok := a.closed[run]
	a.mu.Unlock()
	if ok {
		return known, nil
	}
	r := closedRun{run: Run{
		ID: id, Type: info.GetType().GetName(), Status: info.GetStatus().String(),
		Start: info.GetStartTime().AsTime(),
	}}
	r.run.Pool, r.run.Hash = objectOf(id)
	if info.GetStatus() != enums.WORKFLOW_EXECUTION_STATUS_RUNNING {
		r.run.Close = info.GetCloseTime().AsTime()
	}
	var text strings.Builder
	iter := a.temporal.GetWorkflowHistory(ctx, id, run, false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for iter.HasNext() {
		event, err := iter.Next()
		if err != nil {
			return r, fmt.Errorf("read the history of %s: %w", id, err)
		}
		text.WriteString(event.String())
		r.run.end(event)
	}
	r.history = text.String()
	if !r.run.Close.IsZero() {
		a.mu.Lock()
		a.closed[run] = r
		a.mu.Unlock()
	}
	return r, nil
}

// end reads the last event of a run.
func (r *Run) end(event *history.HistoryEvent) {
	if f := event.GetWorkflowExecutionFailedEventAttributes(); f != nil {
		r.Reason = f.GetFailure().GetMessage()
	}
	if t := event.GetWorkflowExecutionTerminatedEventAttributes(); t != nil {
		r.Reason = t.GetReason() + " by " + t.GetIdentity()
	}
	if event.GetWorkflowExecutionCanceledEventAttributes() != nil {
		r.Reason = "canceled"
	}
	if c := event.GetWorkflowExecutionCompletedEventAttributes(); c != nil {
		for _, p := range c.GetResult().GetPayloads() {
			r.TooSmall = r.TooSmall || strings.Contains(string(p.GetData()), `"tooSmall":{`)
		}
	}
}
