package e2e

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/stack"
)

// sourceRows returns the table of misbehaving sources.
func sourceRows() []*sourceRow {
	rows := slices.Concat(headRows(), rangeRows(), headerRows(), redirectRows(), refusalRows(), bodyRows())
	all := make([]*sourceRow, len(rows))
	for i := range rows {
		all[i] = &rows[i]
		all[i].complete()
	}
	return all
}

// complete sets defaults: an ordinary source, of which one plain GET is enough.
func (row *sourceRow) complete() {
	if row.serve == nil {
		row.serve = func(v *visit) { v.send(v.ordinary()) }
	}
	if !row.seen.plain.given && !row.deaf {
		row.seen.plain = exactly(1)
	}
}

// lane is a group of rows that take turns.
type lane int

const (
	small lane = iota
	big
	waiting
)

func (row *sourceRow) lane() lane {
	switch {
	case row.waits:
		return waiting
	case row.size > mib:
		return big
	default:
		return small
	}
}

// TestSources checks for each source of the table:
//
//   - Each client gets the copy or, where the row says so, the original URL or the source's status.
//   - curl -L gets the same bytes and headers with cloud-mirror as without it.
//   - The source sees the row's number of requests.
//   - No client waits in vain. The table marks first clients that waited longer than the row says.
func TestSources(t *testing.T) {
	seed, rows := testSeed(t), sourceRows()
	results := make([]rowResult, len(rows))
	lanes := map[lane][]int{}
	for i, row := range rows {
		results[i].row = row
		lanes[row.lane()] = append(lanes[row.lane()], i)
		// Each double has its own port during the whole test: a worker remembers what a host refused.
		row.claim(t)
	}
	slices.SortStableFunc(lanes[waiting], func(a, b int) int { return cmp.Compare(rows[b].after, rows[a].after) })
	// Few rows at a time share the machine, so that their waits are those of a machine with spare
	// time. Rows that wait most of their time may be more.
	var all sync.WaitGroup
	for l, atOnce := range map[lane]int{small: 2, big: 1, waiting: 8} {
		queue := make(chan int, len(rows))
		for _, i := range lanes[l] {
			queue <- i
		}
		close(queue)
		for range atOnce {
			all.Go(func() {
				for i := range queue {
					region := stack.Regions()[i%len(stack.Regions())]
					t.Run(rows[i].name, func(t *testing.T) { rows[i].run(t, seed, region, &results[i]) })
				}
			})
		}
	}
	all.Wait()
	t.Log(table(results))
}

// table prints the waits of all cases that ran.
func table(results []rowResult) string {
	var b strings.Builder
	line := "%-65v %5v %5v %5v %5v %8v %8v %8v  %s\n"
	fmt.Fprintf(&b, "\n"+line, "source", "HEAD", "GET", "range", "hop", "first", "second", "sixth", "answer")
	for _, o := range results {
		if o.answer == "" {
			continue
		}
		fmt.Fprintf(&b, line, o.row.name, o.seen.heads, o.seen.plain, o.seen.ranged, o.seen.hops,
			milli(o.waits[0])+o.late(), milli(o.waits[1]), milli(o.waits[clients-1]), o.answer)
	}
	return b.String()
}

// late marks a first client that waited for more than 2 s longer than its row says.
func (o rowResult) late() string {
	if o.row.want != (answerKind{}) && o.waits[0] > o.row.after+soon {
		return "!"
	}
	return ""
}

// milli formats a wait. No client waited if it is zero.
func milli(d time.Duration) string {
	if d == 0 {
		return "-"
	}
	return fmt.Sprintf("%.3fs", d.Seconds())
}

// TestSourceDoubles checks the table itself. curl shows that each double misbehaves as its row
// says, and that it counts requests.
func TestSourceDoubles(t *testing.T) {
	seed, rows := testSeed(t), sourceRows()
	names := map[string]bool{}
	groups := map[string]bool{} // The many rows for one status count as one
	for _, row := range rows {
		require.False(t, names[row.name], "two rows %q", row.name)
		names[row.name] = true
		group, _, _ := strings.Cut(row.name, " answers ")
		groups[group] = true
		require.True(t, row.deaf || row.seen.plain.min+row.seen.hops.min > 0, "row %q would pass without a request", row.name)
		require.True(t, row.after == 0 || row.waits, "row %q would keep other rows waiting", row.name)
	}
	require.GreaterOrEqual(t, len(groups), 80)
	turns := make(chan struct{}, 8)
	var all sync.WaitGroup
	for _, row := range rows {
		if row.authority {
			continue // Two doubles can't listen there
		}
		all.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			t.Run(row.name, func(t *testing.T) { row.checkDouble(t, seed) })
		})
	}
	all.Wait()
}

// checkDouble checks a double without cloud-mirror.
func (row *sourceRow) checkDouble(t *testing.T, seed string) {
	for _, p := range row.proofs {
		d := row.start(t, seed)
		got := curl(t, row.curl.patience, append(p.args, d.object())...)
		require.Equal(t, p.exit, got.exit, "curl %s: %s", p.args, got)
		require.Equal(t, p.status, got.status, "curl %s: %s", p.args, got)
		for name, want := range p.header {
			require.Equal(t, want, got.header[strings.ToLower(name)], "curl %s: %s", p.args, name)
		}
	}
	d := row.start(t, seed)
	failed := make([]curlResult, row.failing)
	for i := range failed {
		failed[i] = curl(t, row.curl.patience, d.object())
	}
	before, _ := d.seen()
	got := curl(t, row.curl.patience, "--location", d.object())
	row.checkDirect(t, d, got)
	after, _ := d.seen()
	counted := after.plain + after.hops - before.plain - before.hops
	require.True(t, row.deaf || counted > 0, "the double counts no request: %+v", after)
	delete(got.header, "date")
	for _, f := range failed {
		delete(f.header, "date")
		require.NotEqual(t, got, f, "the double does not fail at first")
	}
}
