package operate

import (
	"context"
	"errors"
	"fmt"
	"os"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflow/v1"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/workflows"
	"github.com/cloud-mirror/cloud-mirror/workflows/copyid"
)

// CopiesRetryCommand copies objects again.
type CopiesRetryCommand struct {
	configFlag
	filter
	ID     []string `arg:"" optional:"" help:"Workflow ids. Without any, the flags choose copies."`
	Status []string `enum:"Failed,Canceled,Terminated,TimedOut" help:"Only runs with this status (repeatable): ${enum}. The default is Failed, and also Canceled with the classes Cancelled and Purged."`
	All    bool     `help:"Retry all copies that failed, if no other flag chooses."`
	Force  bool     `help:"Retry objects whose host or pool is switched off, too."`
	DryRun bool     `help:"Change nothing; print what would be done."`
}

// Help returns examples.
func (CopiesRetryCommand) Help() string {
	return "Examples:\n\n  cloud-mirror copies retry --class SourceUnreachable --since 1h --dry-run\n" +
		"  cloud-mirror copies retry s3_us-west-2/example.com/a.zip/5c…\n\n" +
		"Each object is copied once, with the input of its latest run. An object that is being copied,\n" +
		"whose copy exists, or whose host or pool is switched off, is skipped."
}

// Validate returns an error unless copies are chosen in one way.
func (c *CopiesRetryCommand) Validate() error {
	if c.Class == activities.ClassTooSmall {
		return fmt.Errorf("no copy to retry has the class %s: such a copy completed", c.Class)
	}
	return chosenOnce(c.ID, c.filter, c.Status, c.All)
}

// statuses returns the statuses of the runs to retry. A cancelled or purged run can have two.
func (c *CopiesRetryCommand) statuses() []string {
	switch {
	case len(c.Status) > 0:
		return c.Status
	case c.Class == activities.ClassCancelled || c.Class == activities.ClassPurged:
		return []string{"Canceled", "Failed"}
	}
	return []string{"Failed"}
}

// Run retries the copies and prints a line for each object.
func (c *CopiesRetryCommand) Run(ctx context.Context) error {
	return c.with(ctx, func(m *mirror) error {
		return m.each(ctx, os.Stdout, c.ID, c.filter, c.statuses(), func(w *workflow.WorkflowExecutionInfo) (string, error) {
			return m.retry(ctx, w, c.Force, c.DryRun)
		})
	})
}

// retry copies the object of a run again. A run of its own is safer than a reset: if a client's
// request has started a run meanwhile, Temporal refuses the retry instead of ending that run.
func (m *mirror) retry(ctx context.Context, w *workflow.WorkflowExecutionInfo, force, dryRun bool) (string, error) {
	if running(w) {
		return "skipped: it runs", nil
	}
	in, err := m.input(ctx, w)
	if err != nil {
		return "", err
	}
	present, err := m.present(ctx, in)
	switch {
	case err != nil:
		return "", err
	case present:
		return "skipped: its copy exists", nil
	}
	err = m.allowed(ctx, in.Source, force)
	_, off := errors.AsType[*offError](err)
	switch {
	case off:
		return "skipped: switched off", nil
	case err != nil:
		return "", err
	case dryRun:
		return "would be retried", nil
	}
	other, err := m.start(ctx, in)
	switch {
	case err != nil:
		return "", err
	case other != nil:
		return "skipped: it runs", nil
	default:
		return "retried", nil
	}
}

// input returns the input of a run, which its first event has.
func (m *mirror) input(ctx context.Context, w *workflow.WorkflowExecutionInfo) (in workflows.CopyObjectInput, err error) {
	e := w.GetExecution()
	events := m.temporal.GetWorkflowHistory(ctx, e.GetWorkflowId(), e.GetRunId(), false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	if !events.HasNext() {
		return in, errors.New("the run has no history")
	}
	first, err := events.Next()
	if err != nil {
		return in, fmt.Errorf("get history: %w", err)
	}
	if err := m.payloads.FromPayloads(first.GetWorkflowExecutionStartedEventAttributes().GetInput(), &in); err != nil {
		return in, fmt.Errorf("the run's input can't be decoded: %w", err)
	}
	if s := in.Source; !copyid.Of(e.GetWorkflowId(), s.Pool(), s.URL, s.Hash) {
		return in, errors.New("the run's input is that of another object")
	}
	in.Low = false // An operator waits.
	return in, nil
}

// present reports whether the cache knows the object's copy.
func (m *mirror) present(ctx context.Context, in workflows.CopyObjectInput) (bool, error) {
	pool, err := m.pool(in.Source.Service, in.Source.Region)
	if err != nil {
		return false, err
	}
	entry, err := m.cache.Get(ctx, m.cfg.Space(pool).Key(in.Source.Hash))
	if err != nil {
		return false, fmt.Errorf("read the cache: %w", err)
	}
	return entry.State == cache.Present, nil
}
