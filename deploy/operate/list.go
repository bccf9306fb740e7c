package operate

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"go.temporal.io/api/workflow/v1"

	"github.com/cloud-mirror/cloud-mirror/workflows"
)

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
		if err := c.write(os.Stdout, all, time.Now()); err != nil {
			return err
		}
		summarize(os.Stderr, all, more)
		return nil
	})
}

// summarize counts copies by their classes, and the others by their statuses.
func summarize(w io.Writer, all []*workflow.WorkflowExecutionInfo, more bool) {
	kinds := map[string]int{}
	for _, info := range all {
		kinds[cmp.Or(keyword(info, workflows.ErrorClassAttribute()), info.GetStatus().String())]++
	}
	if len(all) > 0 {
		fmt.Fprintf(w, "%d copies: %s\n", len(all), counts(kinds))
	}
	if more {
		fmt.Fprintln(w, "There are more: raise --limit.")
	}
}

func (c *CopiesListCommand) write(w io.Writer, all []*workflow.WorkflowExecutionInfo, now time.Time) error {
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
		fmt.Fprintln(table, strings.Join([]string{r.Start.UTC().Format(time.RFC3339), r.Status, cmp.Or(r.Class, "-"), r.Took, r.ID}, "\t"))
	}
	return table.Flush()
}
