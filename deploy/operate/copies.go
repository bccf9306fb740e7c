package operate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.temporal.io/api/workflow/v1"
)

// CopiesCommand holds the commands about copies.
type CopiesCommand struct {
	List   CopiesListCommand   `cmd:"" help:"List copies: the latest run of each object that matches."`
	Show   CopiesShowCommand   `cmd:"" help:"Show one copy: its state, its last failure and the next retry."`
	Retry  CopiesRetryCommand  `cmd:"" help:"Copy again what failed."`
	Cancel CopiesCancelCommand `cmd:"" help:"Cancel copies that run."`
	Purge  CopiesPurgeCommand  `cmd:"" help:"Purge the copies of a host, or below a URL."`
}

// chosenOnce returns an error unless ids, or a filter, or all are given. Statuses are a filter, and
// can also narrow all.
func chosenOnce(ids []string, f filter, statuses []string, all bool) error {
	filtered := len(statuses) > 0 && !all || f.Service != "" || f.Region != "" || f.Host != "" || f.Class != "" || f.Since != nil
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

// each calls act with the latest run of each chosen object, and prints its result. It tries all. Without
// ids, the filter chooses objects, and act gets the objects with a latest run in one of the statuses.
func (m *mirror) each(
	ctx context.Context, out io.Writer, ids []string, f filter, statuses []string, act func(*workflow.WorkflowExecutionInfo) (string, error),
) error {
	var more bool
	if len(ids) == 0 {
		chosen := act
		act = func(w *workflow.WorkflowExecutionInfo) (string, error) {
			if !f.matches(w, statuses) { // It has changed meanwhile.
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
	if len(ids) == 0 {
		fmt.Fprintln(out, "no object matches")
	} else {
		fmt.Fprintf(out, "%d objects: %s\n", len(ids), counts(results))
	}
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
