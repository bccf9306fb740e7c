package page

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"golang.org/x/sync/errgroup"

	"github.com/cloud-mirror/cloud-mirror/workflows"
)

const (
	// lastFailures is how many failed runs the page groups by class.
	lastFailures = 200
	// atOnce is how many pools are counted at the same time.
	atOnce = 8
	// failed matches the copies that failed for good.
	failed = `WorkflowType="CopyObject" AND ExecutionStatus="Failed"`
)

// running matches the copies of a pool whose workflow has not ended.
func running(pool string) string {
	return fmt.Sprintf(`WorkflowType="CopyObject" AND ExecutionStatus="Running" AND TaskQueue=%q`, workflows.TaskQueue(pool))
}

// failures are the last failed copies with one error class.
type failures struct {
	Class string
	Count int
	// Last is when the newest of them ended. Host is its source, and Pool its pool.
	Last       time.Time
	Host, Pool string
	Link       string // Lists all failed copies with the class; empty without admin.temporal_ui.
}

// copies is what Temporal knows.
type copies struct {
	open     map[string]int64 // By pool.
	failures []failures       // The most frequent class first.
	capped   bool             // There are more failures than the page reads.
}

// copies asks Temporal for the open copies of each pool, and for the last failures.
func (p *page) copies(ctx context.Context) (c copies, err error) {
	c.open = map[string]int64{}
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	group.Go(func() error {
		out, err := p.Temporal.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
			Namespace: p.Namespace, Query: failed, PageSize: lastFailures + 1,
		})
		if err != nil {
			return fmt.Errorf("list failed copies: %w", err)
		}
		runs := out.GetExecutions()
		c.capped = len(runs) > lastFailures // A full page has a token even if it is the last.
		c.failures = p.byClass(runs[:min(len(runs), lastFailures)])
		return nil
	})
	for _, pool := range p.Pools {
		group.Go(func() error {
			out, err := p.Temporal.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{
				Namespace: p.Namespace, Query: running(pool.ID()),
			})
			if err != nil {
				return fmt.Errorf("count copies: %w", err)
			}
			mu.Lock()
			defer mu.Unlock()
			c.open[pool.ID()] = out.GetCount()
			return nil
		})
	}
	return c, group.Wait()
}

// byClass groups failed runs by their error class.
func (p *page) byClass(runs []*workflow.WorkflowExecutionInfo) (all []failures) {
	index := map[string]int{}
	for _, w := range runs {
		class := attribute(w, workflows.ErrorClassAttribute())
		i, known := index[class]
		if !known {
			i = len(all)
			index[class] = i
			all = append(all, failures{Class: class, Link: p.list(failed + fmt.Sprintf(" AND MirrorErrorClass=%q", class))})
			if class == "" {
				all[i].Link = p.list(failed + " AND MirrorErrorClass IS NULL")
			}
		}
		f := &all[i]
		f.Count++
		if at := w.GetCloseTime().AsTime(); at.After(f.Last) {
			f.Last, f.Host = at, attribute(w, workflows.HostAttribute())
			f.Pool = attribute(w, workflows.ServiceAttribute()) + "_" + attribute(w, workflows.RegionAttribute())
		}
	}
	slices.SortStableFunc(all, func(a, b failures) int { return cmp.Compare(b.Count, a.Count) })
	return all
}

// attribute returns a search attribute, or an empty string.
func attribute(w *workflow.WorkflowExecutionInfo, key temporal.SearchAttributeKeyKeyword) (value string) {
	if f := w.GetSearchAttributes().GetIndexedFields()[key.GetName()]; f != nil {
		_ = converter.GetDefaultDataConverter().FromPayload(f, &value) // A foreign value is not shown.
	}
	return value
}
