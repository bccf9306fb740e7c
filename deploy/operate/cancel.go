package operate

import (
	"context"
	"fmt"
	"os"

	"go.temporal.io/api/workflow/v1"
)

// CopiesCancelCommand cancels copies.
type CopiesCancelCommand struct {
	configFlag
	filter
	ID     []string `arg:"" optional:"" help:"Workflow ids. Without any, the flags choose copies."`
	All    bool     `help:"Cancel all copies that run, if no other flag chooses."`
	DryRun bool     `help:"Change nothing; print what would be done."`
}

// Help returns examples.
func (CopiesCancelCommand) Help() string {
	return "Examples:\n\n  cloud-mirror copies cancel --host slow.example.com --dry-run\n" +
		"  cloud-mirror copies cancel s3_us-west-2/example.com/a.zip/5c…\n\n" +
		"A worker ends the copy, and clients that wait get the source. Without a worker nothing happens until one runs.\n" +
		"The first request after cache.negative_ttl starts the copy again."
}

// Validate returns an error unless copies are chosen in one way.
func (c *CopiesCancelCommand) Validate() error {
	return chosenOnce(c.ID, c.filter, nil, c.All)
}

// Run cancels the copies and prints a line for each object.
func (c *CopiesCancelCommand) Run(ctx context.Context) error {
	return c.with(ctx, func(m *mirror) error {
		return m.each(ctx, os.Stdout, c.ID, c.filter, []string{"Running"}, func(w *workflow.WorkflowExecutionInfo) (string, error) {
			return m.cancel(ctx, w, c.DryRun)
		})
	})
}

// cancel requests the cancellation of a run.
func (m *mirror) cancel(ctx context.Context, w *workflow.WorkflowExecutionInfo, dryRun bool) (string, error) {
	switch {
	case !running(w):
		return "skipped: it does not run", nil
	case dryRun:
		return "cancellation would be requested", nil
	}
	e := w.GetExecution()
	if err := m.temporal.CancelWorkflow(ctx, e.GetWorkflowId(), e.GetRunId()); err != nil {
		return "", fmt.Errorf("cancel workflow: %w", err)
	}
	return "cancellation requested", nil
}
