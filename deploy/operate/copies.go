package operate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/prometheus/common/model"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"github.com/cloud-mirror/cloud-mirror/workflows"
)

// CopiesCommand holds the commands about copies.
type CopiesCommand struct {
	List   CopiesListCommand   `cmd:"" help:"List copies: the latest run of each object that matches."`
	Show   CopiesShowCommand   `cmd:"" help:"Show one copy: its state, its last failure and the next retry."`
	Retry  CopiesRetryCommand  `cmd:"" help:"Copy again what failed."`
	Cancel CopiesCancelCommand `cmd:"" help:"Cancel copies that run."`
}

// filter chooses runs of copies.
type filter struct {
	Service string          `placeholder:"NAME" help:"Only of pools of this service."`
	Region  string          `short:"r" placeholder:"NAME" help:"Only of pools in this region, e.g. us-west-2."`
	Host    string          `placeholder:"HOST[:PORT]" help:"Only from this source host."`
	Class   string          `placeholder:"NAME" help:"Only with this error class, e.g. SourceUnreachable."`
	Since   *model.Duration `placeholder:"1h" help:"Only runs that started within this time."`
	Limit   int             `default:"1000" help:"Objects at most, the newest first."`
}

// query returns the visibility query of the filter.
func (f *filter) query(statuses []string, now time.Time) (string, error) {
	if f.Limit < 1 {
		return "", fmt.Errorf("--limit is %d, want at least 1", f.Limit)
	}
	host := f.Host
	if host != "" {
		var err error
		if host, err = hostName(host); err != nil {
			return "", err
		}
	}
	terms := []string{`WorkflowType="CopyObject"`}
	for _, term := range []struct{ flag, attribute, value string }{
		{"--service", workflows.ServiceAttribute().GetName(), f.Service},
		{"--region", workflows.RegionAttribute().GetName(), f.Region},
		{"--host", workflows.HostAttribute().GetName(), host},
		{"--class", workflows.ErrorClassAttribute().GetName(), f.Class},
	} {
		if strings.ContainsAny(term.value, "\"'\\") {
			return "", fmt.Errorf("%s has a quote or a backslash", term.flag)
		}
		if term.value != "" {
			terms = append(terms, fmt.Sprintf("%s=%q", term.attribute, term.value))
		}
	}
	var any []string
	for _, s := range statuses {
		any = append(any, fmt.Sprintf("ExecutionStatus=%q", s))
	}
	if len(any) > 0 {
		terms = append(terms, "("+strings.Join(any, " OR ")+")")
	}
	if f.Since != nil {
		terms = append(terms, fmt.Sprintf("StartTime>%q", now.Add(-time.Duration(*f.Since)).UTC().Format(time.RFC3339Nano)))
	}
	return strings.Join(terms, " AND "), nil
}

// runs lists the runs that match a query, the newest first.
func (m *mirror) runs(ctx context.Context, query string) iter.Seq2[*workflow.WorkflowExecutionInfo, error] {
	return func(yield func(*workflow.WorkflowExecutionInfo, error) bool) {
		var page []byte
		for {
			out, err := m.temporal.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
				Namespace: m.namespace, Query: query, PageSize: 1000, NextPageToken: page,
			})
			if err != nil {
				yield(nil, fmt.Errorf("list workflows: %w", err))
				return
			}
			for _, w := range out.GetExecutions() {
				if !yield(w, nil) {
					return
				}
			}
			if page = out.GetNextPageToken(); len(page) == 0 {
				return
			}
		}
	}
}

// objects returns the newest matching run of each object, up to the limit. more is set if there are
// more objects.
func (m *mirror) objects(ctx context.Context, f filter, statuses []string) (all []*workflow.WorkflowExecutionInfo, more bool, err error) {
	query, err := f.query(statuses, time.Now())
	if err != nil {
		return nil, false, err
	}
	seen := map[string]bool{}
	for w, err := range m.runs(ctx, query) {
		id := w.GetExecution().GetWorkflowId()
		switch {
		case err != nil:
			return nil, false, err
		case seen[id]:
			continue
		case len(all) == f.Limit:
			return all, true, nil
		}
		seen[id] = true
		all = append(all, w)
	}
	return all, false, nil
}

// run is what is printed of a run.
type run struct {
	ID     string    `json:"workflowId"`
	Run    string    `json:"runId"`
	Status string    `json:"status"`
	Class  string    `json:"errorClass,omitempty"`
	Start  time.Time `json:"startTime"`
	Took   string    `json:"took"` // Until now, while it runs
}

func runOf(w *workflow.WorkflowExecutionInfo, now time.Time) run {
	end := now
	if w.GetCloseTime() != nil {
		end = w.GetCloseTime().AsTime()
	}
	return run{
		ID: printable(w.GetExecution().GetWorkflowId()), Run: w.GetExecution().GetRunId(), Status: w.GetStatus().String(),
		Class: attribute(w, workflows.ErrorClassAttribute()), Start: w.GetStartTime().AsTime(),
		Took: end.Sub(w.GetStartTime().AsTime()).Round(time.Millisecond).String(),
	}
}

// attribute returns a search attribute, or an empty string.
func attribute(w *workflow.WorkflowExecutionInfo, key temporal.SearchAttributeKeyKeyword) (value string) {
	if p := w.GetSearchAttributes().GetIndexedFields()[key.GetName()]; p != nil {
		_ = converter.GetDefaultDataConverter().FromPayload(p, &value) // A foreign value is not shown.
	}
	return printable(value)
}

// CopiesListCommand lists copies.
type CopiesListCommand struct {
	configFlag
	filter
	Status []string `enum:"Running,Completed,Failed,Canceled,Terminated,TimedOut" help:"Only runs with this status (repeatable): ${enum}."`
	JSON   bool     `name:"json" help:"Print a JSON object for each copy."`
}

// Help returns examples.
func (CopiesListCommand) Help() string {
	return "Examples:\n\n  cloud-mirror copies list --status Running\n" +
		"  cloud-mirror copies list --status Failed --class SourceUnreachable --since 1h"
}

// Run prints the copies, the newest first.
func (c *CopiesListCommand) Run(ctx context.Context) error {
	return c.with(ctx, func(m *mirror) error {
		all, more, err := m.objects(ctx, c.filter, c.Status)
		if err != nil {
			return err
		}
		return c.write(os.Stdout, all, more, time.Now())
	})
}

func (c *CopiesListCommand) write(w io.Writer, all []*workflow.WorkflowExecutionInfo, more bool, now time.Time) error {
	if c.JSON {
		lines := json.NewEncoder(w)
		for _, info := range all {
			if err := lines.Encode(runOf(info, now)); err != nil {
				return err
			}
		}
		return nil
	}
	if len(all) == 0 {
		_, err := fmt.Fprintln(w, "no copies")
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "STARTED\tSTATUS\tCLASS\tTOOK\tWORKFLOW ID")
	for _, info := range all {
		r := runOf(info, now)
		fmt.Fprintln(table, strings.Join([]string{r.Start.UTC().Format(time.RFC3339), r.Status, r.Class, r.Took, r.ID}, "\t"))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if more {
		fmt.Fprintf(w, "There are more: raise --limit.\n")
	}
	return nil
}

// CopiesRetryCommand copies objects again.
type CopiesRetryCommand struct {
	configFlag
	filter
	ID     []string `arg:"" optional:"" help:"Workflow ids. Without any, the flags choose copies."`
	Status []string `enum:"Failed,Canceled,Terminated,TimedOut" default:"Failed" help:"Only runs with this status (repeatable): ${enum}."`
	All    bool     `help:"Retry all copies that failed, if no other flag chooses."`
	DryRun bool     `help:"Change nothing; print what would be done."`
}

// Help returns examples.
func (CopiesRetryCommand) Help() string {
	return "Examples:\n\n  cloud-mirror copies retry --class SourceUnreachable --since 1h --dry-run\n" +
		"  cloud-mirror copies retry s3_us-west-2/example.com/a.zip/5c…\n\n" +
		"Each object is copied once, with the input of its latest run. An object that is being copied, or\n" +
		"whose copy exists, is skipped."
}

// Validate returns an error unless copies are chosen in one way.
func (c *CopiesRetryCommand) Validate() error {
	return chosenOnce(c.ID, c.filter, c.All)
}

// chosenOnce returns an error unless ids, or a filter, or all are given.
func chosenOnce(ids []string, f filter, all bool) error {
	filtered := f.Service != "" || f.Region != "" || f.Host != "" || f.Class != "" || f.Since != nil
	ways := 0
	for _, given := range []bool{len(ids) > 0, filtered, all} {
		if given {
			ways++
		}
	}
	if ways != 1 {
		return errors.New("choose copies by their workflow ids, by flags, or by --all")
	}
	return nil
}

// Run retries the copies and prints a line for each object.
func (c *CopiesRetryCommand) Run(ctx context.Context) error {
	return c.with(ctx, func(m *mirror) error {
		return m.each(ctx, os.Stdout, c.ID, c.filter, c.Status, func(w *workflow.WorkflowExecutionInfo) (string, error) {
			return m.retry(ctx, w, c.DryRun)
		})
	})
}

// each calls act with the latest run of each chosen object, and prints its result. It tries all. Without
// ids, the filter chooses objects, and act gets those whose latest run has one of the statuses.
func (m *mirror) each(
	ctx context.Context, out io.Writer, ids []string, f filter, statuses []string, act func(*workflow.WorkflowExecutionInfo) (string, error),
) error {
	var more bool
	if len(ids) == 0 {
		chosen := act
		act = func(w *workflow.WorkflowExecutionInfo) (string, error) {
			if !slices.Contains(statuses, w.GetStatus().String()) {
				return "skipped: its latest run is " + w.GetStatus().String(), nil
			}
			return chosen(w)
		}
		all, rest, err := m.objects(ctx, f, statuses)
		if err != nil {
			return err
		}
		more = rest
		for _, w := range all {
			ids = append(ids, w.GetExecution().GetWorkflowId())
		}
	}
	results := map[string]int{}
	var failed int
	for _, id := range ids {
		result, err := m.latest(ctx, id, act)
		if err != nil {
			failed++
			result = "failed: " + printable(err.Error())
		}
		kind, _, _ := strings.Cut(result, ":")
		results[kind]++
		fmt.Fprintf(out, "%s: %s\n", printable(id), result)
	}
	var counts []string
	for kind, n := range results {
		counts = append(counts, fmt.Sprintf("%d %s", n, kind))
	}
	slices.Sort(counts)
	fmt.Fprintf(out, "%d objects: %s\n", len(ids), strings.Join(append(counts, "done")[:max(len(counts), 1)], ", "))
	if more {
		fmt.Fprintln(out, "There are more: raise --limit.")
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d objects failed", failed, len(ids))
	}
	return nil
}

// latest calls act with the latest run of a workflow id.
func (m *mirror) latest(ctx context.Context, id string, act func(*workflow.WorkflowExecutionInfo) (string, error)) (string, error) {
	out, err := m.temporal.DescribeWorkflowExecution(ctx, id, "")
	if err != nil {
		return "", fmt.Errorf("describe workflow: %w", err)
	}
	info := out.GetWorkflowExecutionInfo()
	if name := info.GetType().GetName(); name != "CopyObject" {
		return "", fmt.Errorf("the workflow is a %s, not a copy", printable(name))
	}
	return act(info)
}

func running(w *workflow.WorkflowExecutionInfo) bool {
	return w.GetStatus() == enums.WORKFLOW_EXECUTION_STATUS_RUNNING
}

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
	return chosenOnce(c.ID, c.filter, c.All)
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
