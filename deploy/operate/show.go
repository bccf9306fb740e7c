package operate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/failure/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/temporal"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/workflows"
)

// CopiesShowCommand shows one copy.
type CopiesShowCommand struct {
	configFlag
	Service string `default:"s3" help:"With a URL: service of the pool."`
	Region  string `short:"r" help:"With a URL: region of the pool, e.g. us-west-2."`
	Copy    string `arg:"" help:"Workflow id, or the URL of the object at its source."`
}

// Help returns examples.
func (CopiesShowCommand) Help() string {
	return "Examples:\n\n  cloud-mirror copies show --region us-west-2 https://example.com/a.zip\n" +
		"  cloud-mirror copies show s3_us-west-2/example.com/a.zip/5c…"
}

// Validate returns an error if a URL has no region.
func (c *CopiesShowCommand) Validate() error {
	if isURL(c.Copy) && c.Region == "" {
		return errors.New("--region is missing: a URL has a copy in each region")
	}
	return nil
}

// Run prints the copy.
func (c *CopiesShowCommand) Run(ctx context.Context) error {
	ids := []string{c.Copy}
	if isURL(c.Copy) {
		source, err := (&objectFlags{Service: c.Service, Region: c.Region}).source(c.Copy)
		if err != nil {
			return err
		}
		ids = []string{workflows.ID(source), workflows.EarlierID(source)}
	}
	return c.with(ctx, func(m *mirror) (err error) {
		for _, id := range ids {
			_, err = m.show(ctx, os.Stdout, id)
			if _, none := errors.AsType[*serviceerror.NotFound](err); !none {
				return err
			}
		}
		return fmt.Errorf("no copy of this object was requested within the retention of the namespace: %w", err)
	})
}

// show prints the latest run of a workflow id. It returns whether that run ended with a copy.
func (m *mirror) show(ctx context.Context, w io.Writer, id string) (copied bool, err error) {
	out, err := m.temporal.DescribeWorkflowExecution(ctx, id, "")
	if err != nil {
		return false, fmt.Errorf("workflow %s: %w", printable(id), err)
	}
	info := out.GetWorkflowExecutionInfo()
	r := runOf(info, time.Now())
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintln(table, name+"\t"+value)
		}
	}
	row("workflow", r.ID)
	row("run", r.Run)
	row("status", r.Status)
	row("started", r.Start.UTC().Format(time.RFC3339))
	row("took", r.Took)
	row("error class", r.Class)
	row("attempts", figure(r.Attempts))
	row("bytes", figure(r.Bytes))
	last, err := m.lastEvent(ctx, info)
	if err != nil {
		return false, err
	}
	if f := last.GetWorkflowExecutionFailedEventAttributes().GetFailure(); f != nil {
		row("failed step", failedStep(f))
		row("failure", m.failure(f))
	}
	row("terminated", printable(last.GetWorkflowExecutionTerminatedEventAttributes().GetReason()))
	copied = m.result(row, last)
	for _, a := range out.GetPendingActivities() {
		m.pending(row, a)
	}
	row("next", next(info))
	return copied, table.Flush()
}

// figure returns a number in digits, or an empty string if it is unknown.
func figure[T int | int64](n T) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

// failedStep returns the activity that failed a run, or an empty string.
func failedStep(f *failure.Failure) string {
	for ; f != nil; f = f.GetCause() {
		if a := f.GetActivityFailureInfo(); a != nil {
			return printable(a.GetActivityType().GetName())
		}
	}
	return ""
}

// lastEvent returns the event that closed a run, or nil if it runs.
func (m *mirror) lastEvent(ctx context.Context, w *workflow.WorkflowExecutionInfo) (*history.HistoryEvent, error) {
	if running(w) {
		return nil, nil //nolint:nilnil // Documented
	}
	e := w.GetExecution()
	events := m.temporal.GetWorkflowHistory(ctx, e.GetWorkflowId(), e.GetRunId(), false, enums.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT)
	if !events.HasNext() {
		return nil, errors.New("the run has no history")
	}
	last, err := events.Next()
	if err != nil {
		return nil, fmt.Errorf("get history: %w", err)
	}
	return last, nil
}

// failure describes a failure, decoded, and the request that failed.
func (m *mirror) failure(f *failure.Failure) string {
	// The codec's own converter panics without the key.
	err := temporal.NewDefaultFailureConverter(temporal.DefaultFailureConverterOptions{DataConverter: m.payloads}).FailureToError(f)
	app, ok := errors.AsType[*temporal.ApplicationError](err)
	if !ok {
		return printable(err.Error())
	}
	text := app.Message()
	var details activities.Failure
	if app.Details(&details) == nil && details.Host != "" {
		text += fmt.Sprintf(", for %s at host %s", details.Method, details.Host)
	}
	return printable(text)
}

// result prints the result of a completed copy, and returns whether there is a copy.
func (m *mirror) result(row func(name, value string), last *history.HistoryEvent) bool {
	done := last.GetWorkflowExecutionCompletedEventAttributes()
	var r workflows.CopyObjectResult
	if done == nil || m.payloads.FromPayloads(done.GetResult(), &r) != nil {
		return false
	}
	switch {
	case r.TooSmall != nil:
		row("result", "no copy: the object is smaller than the minimum size")
	case r.Copied:
		row("result", "copied")
	default:
		row("result", "the bucket had the copy already")
	}
	if r.TooSmall == nil && !r.Published {
		row("cache", "could not be updated; the next request finds the copy in the bucket")
	}
	return r.TooSmall == nil
}

// pending prints an activity that runs or waits.
func (m *mirror) pending(row func(name, value string), a *workflow.PendingActivityInfo) {
	name := a.GetActivityType().GetName()
	text := fmt.Sprintf("%s, attempt %d", a.GetState(), a.GetAttempt())
	if at := a.GetNextAttemptScheduleTime(); at != nil {
		text += ", next attempt in " + time.Until(at.AsTime()).Round(time.Second).String()
	}
	if worker := a.GetLastWorkerIdentity(); worker != "" {
		text += ", by " + printable(worker)
	}
	row(name, text)
	var p activities.Progress
	if d := a.GetHeartbeatDetails(); d != nil && m.payloads.FromPayloads(d, &p) == nil {
		row("progress", printable(cmp.Or(p.Now, stored(p))))
	}
	if f := a.GetLastFailure(); f != nil {
		row("last failure", m.failure(f))
	}
}

// stored describes the progress of a worker that does not.
func stored(p activities.Progress) string {
	if p.Total < 0 {
		return fmt.Sprintf("%d bytes stored", p.Done)
	}
	return fmt.Sprintf("%d of %d bytes stored", p.Done, p.Total)
}

// next returns a command that helps with the run.
func next(w *workflow.WorkflowExecutionInfo) string {
	id := printable(w.GetExecution().GetWorkflowId())
	switch w.GetStatus() {
	case enums.WORKFLOW_EXECUTION_STATUS_RUNNING:
		return "cloud-mirror copies cancel '" + id + "'"
	case enums.WORKFLOW_EXECUTION_STATUS_COMPLETED:
		return ""
	default:
		return "once the cause is mended: cloud-mirror copies retry '" + id + "'"
	}
}
