package operate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflow/v1"
	sdk "go.temporal.io/sdk/worker"
	"golang.org/x/sync/errgroup"

	"github.com/cloud-mirror/cloud-mirror/worker"
	"github.com/cloud-mirror/cloud-mirror/workflows"
)

// maxDifference is the length of the longest difference that is printed, in bytes.
const maxDifference = 1000

// ReplayCommand replays the histories of a namespace with the workflows of this build.
type ReplayCommand struct {
	configFlag
	Query      string `placeholder:"QUERY" help:"Only runs that match this query of Temporal's list filter. The default is all."`
	Limit      int    `placeholder:"N" help:"Runs at most, in the order of Temporal's list. The default is all."`
	Parallel   int    `default:"8" help:"Histories that are read and replayed at the same time."`
	AllowEmpty bool   `help:"Succeed although no history was replayed, for example in a new namespace."`
}

// Help returns examples.
func (ReplayCommand) Help() string {
	return "Examples:\n\n  cloud-mirror replay\n" +
		"  cloud-mirror replay --query 'ExecutionStatus=\"Running\"'\n" +
		"  cloud-mirror replay --query 'ExecutionStatus!=\"Terminated\"' --limit 10000\n\n" +
		"It only reads. TEMPORAL_NAMESPACE names the namespace.\n" +
		"A run that does not replay would be stuck with this build.\n" +
		"The exit status is 1 if there is one, or if no history was replayed."
}

// Validate returns an error for a number that is out of range.
func (c *ReplayCommand) Validate() error {
	switch {
	case c.Limit < 0:
		return fmt.Errorf("--limit is %d, want at least 0", c.Limit)
	case c.Parallel < 1:
		return fmt.Errorf("--parallel is %d, want at least 1", c.Parallel)
	}
	return nil
}

// Run replays the histories and prints how many of each shape replay, and each that does not.
func (c *ReplayCommand) Run(ctx context.Context) error {
	return c.with(ctx, func(m *mirror) error {
		g := &gate{
			replayer: replayer{register: func(r sdk.WorkflowReplayer) { worker.RegisterWorkflows(r) }, payloads: m.codec},
			history:  m.history,
		}
		err := g.all(ctx, m.runs(ctx, c.Query), c.Limit, c.Parallel)
		return errors.Join(g.write(os.Stdout, m.namespace), err, g.verdict(c.AllowEmpty))
	})
}

// history returns all events of a run.
func (m *mirror) history(ctx context.Context, id, run string) (events []*history.HistoryEvent, err error) {
	all := m.temporal.GetWorkflowHistory(ctx, id, run, false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for all.HasNext() {
		e, err := all.Next()
		if err != nil {
			return nil, fmt.Errorf("get history of workflow %s: %w", printable(id), err)
		}
		events = append(events, e)
	}
	return events, nil
}

// gate replays runs and counts them.
type gate struct {
	replayer replayer
	history  func(ctx context.Context, id, run string) ([]*history.HistoryEvent, error)

	mu       sync.Mutex
	replayed map[path]int
	skipped  map[string]int // By reason
	failed   []string       // A line for each run
}

// path is a workflow type and the shape of its runs.
type path struct{ kind, shape string }

// all replays the runs, each once, up to a limit if that is not 0. It stops at an error of Temporal.
func (g *gate) all(
	ctx context.Context, runs func(yield func(*workflow.WorkflowExecutionInfo, error) bool), limit, parallel int,
) error {
	g.replayed, g.skipped = map[path]int{}, map[string]int{}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	seen := map[string]bool{} // A run that ends meanwhile is listed twice.
	var failed error
	for w, err := range runs {
		if failed = err; err != nil || ctx.Err() != nil || limit > 0 && len(seen) == limit {
			break
		}
		if run := w.GetExecution().GetRunId(); !seen[run] {
			seen[run] = true
			group.Go(func() error { return g.one(ctx, w) })
		}
	}
	return cmp.Or(group.Wait(), failed)
}

// one replays a run. Its error is one of Temporal.
func (g *gate) one(ctx context.Context, w *workflow.WorkflowExecutionInfo) error {
	execution := w.GetExecution()
	if !strings.HasPrefix(w.GetTaskQueue(), workflows.TaskQueue("")) {
		g.skip("of other applications")
		return nil
	}
	events, err := g.history(ctx, execution.GetWorkflowId(), execution.GetRunId())
	if _, gone := errors.AsType[*serviceerror.NotFound](err); gone {
		g.skip("deleted meanwhile")
		return nil
	}
	if err != nil {
		return err
	}
	if len(tasks(events)) == 0 {
		g.skip("that no worker has begun")
		return nil
	}
	g.note(w, events, g.replayer.difference(execution, events))
	return nil
}

func (g *gate) skip(reason string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.skipped[reason]++
}

// note counts a replayed run, or keeps the difference if there is one.
func (g *gate) note(w *workflow.WorkflowExecutionInfo, events []*history.HistoryEvent, difference error) {
	kind := w.GetType().GetName()
	g.mu.Lock()
	defer g.mu.Unlock()
	if difference == nil {
		g.replayed[path{printable(kind), shape(events, g.replayer.payloads.DataConverter())}]++
		return
	}
	text := difference.Error()
	if len(text) > maxDifference {
		text = strings.ToValidUTF8(text[:maxDifference], "") + "…"
	}
	e := w.GetExecution()
	g.failed = append(g.failed,
		printable(fmt.Sprintf("%s %s run %s (%s): %s", kind, e.GetWorkflowId(), e.GetRunId(), endOf(events), text)))
}

// write prints the counts, then the runs that do not replay.
func (g *gate) write(w io.Writer, namespace string) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "TYPE\tRUNS\tSHAPE")
	paths := slices.SortedFunc(maps.Keys(g.replayed), func(a, b path) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(g.replayed[b], g.replayed[a]), cmp.Compare(a.shape, b.shape))
	})
	kinds := map[string]int{}
	for _, p := range paths {
		kinds[p.kind] += g.replayed[p]
		fmt.Fprintf(table, "%s\t%d\t%s\n", p.kind, g.replayed[p], p.shape)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, line := range g.failed {
		fmt.Fprintln(w, "does not replay: "+line)
	}
	fmt.Fprintf(w, "namespace %s: %s replay, %d do not\n", printable(namespace), counts(kinds), len(g.failed))
	if len(g.skipped) > 0 {
		fmt.Fprintf(w, "skipped: %s\n", counts(g.skipped))
	}
	return nil
}

// counts lists the numbers of things, for example "3 CopyObject, 1 SweepUploads".
func counts(of map[string]int) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(of)) {
		all = append(all, fmt.Sprintf("%d %s", of[name], name))
	}
	return cmp.Or(strings.Join(all, ", "), "0 runs")
}

// verdict returns an error if a run does not replay, or if there was none.
func (g *gate) verdict(allowEmpty bool) error {
	total := len(g.failed)
	for _, n := range g.replayed {
		total += n
	}
	switch {
	case len(g.failed) > 0:
		return fmt.Errorf("%d of %d runs do not replay with this build", len(g.failed), total)
	case total == 0 && !allowEmpty:
		return errors.New("no history was replayed, so nothing is known of this build; --allow-empty accepts that")
	}
	return nil
}
