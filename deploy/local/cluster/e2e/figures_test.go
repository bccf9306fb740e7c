package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/cluster"
)

const (
	firsts      = 20  // First requests, one after the other
	burst       = 300 // Objects of a burst
	burstClient = 50
)

// TestFigures measures first requests, and prints a table. Absolute times depend on the machine: it
// requires only that all requests get copies. The time on processors per copy is that of the burst.
func TestFigures(t *testing.T) {
	s := newSource(t)
	require.NoError(t, first(t, s)) // Opens connections
	var idle []time.Duration
	for range firsts {
		began := time.Now()
		require.NoError(t, first(t, s))
		idle = append(idle, time.Since(began))
	}
	before, busyBefore, database := usage(t), busy(t), databaseUse(t)
	var next atomic.Int64
	var wait sync.WaitGroup
	took, errs := make([]time.Duration, burst), make([]error, burst)
	began := time.Now()
	for range burstClient {
		wait.Go(func() {
			for i := int(next.Add(1)) - 1; i < burst; i = int(next.Add(1)) - 1 {
				start := time.Now()
				errs[i] = first(t, s)
				took[i] = time.Since(start)
			}
		})
	}
	wait.Wait()
	whole := time.Since(began)
	after, machine := usage(t), busy(t)-busyBefore
	pause(t.Context(), 2*time.Second) // The last workflows close, and PostgreSQL counts.
	grown := databaseUse(t)
	require.NoError(t, errors.Join(errs...))
	slices.Sort(idle)
	slices.Sort(took)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(label, format string, values ...any) {
		fmt.Fprintf(w, "%s\t"+format+"\t\n", append([]any{label}, values...)...)
	}
	row("", "measured")
	row(fmt.Sprintf("first request of a 1 KiB object, median of %d", firsts), "%.1f ms", milliseconds(idle[firsts/2]))
	row(fmt.Sprintf("%d first requests, %d at a time", burst, burstClient), "%.1f /s", burst/whole.Seconds())
	row("first requests, p50", "%.0f ms", milliseconds(took[burst/2]))
	row("first requests, p99", "%.0f ms", milliseconds(took[burst*99/100]))
	temporal := time.Duration(0)
	for _, name := range processes() {
		used := after[name] - before[name]
		if strings.HasPrefix(name, "temporal-") {
			temporal += used
		}
		row("processor time per copy, "+name, "%.2f ms", milliseconds(used)/burst)
	}
	row("processor time per copy, Temporal's services together", "%.2f ms", milliseconds(temporal)/burst)
	row("processor time per copy, the whole machine", "%.2f ms", milliseconds(machine)/burst)
	row("transactions of PostgreSQL per copy", "%.1f", float64(grown.Transactions-database.Transactions)/burst)
	row("disk of PostgreSQL per copy", "%.1f KiB", float64(grown.Bytes-database.Bytes)/burst/kib)
	require.NoError(t, w.Flush())
	require.Positive(t, after[cluster.PostgreSQL]-before[cluster.PostgreSQL], "control: PostgreSQL has worked")
}

// first requests a new object.
func first(t *testing.T, s *source) error {
	a, err := request(t.Context(), http.MethodGet, "redirect", west, s.object(kib), standardWait)
	if err == nil && !a.Copy {
		err = fmt.Errorf("status %d without a copy: %+v", a.Status, a.body)
	}
	return err
}

// usage is the time on processors that each process has used.
func usage(t *testing.T) map[string]time.Duration {
	t.Helper()
	all := map[string]time.Duration{}
	for _, name := range processes() {
		pid := sys.PID(name)
		if pid == 0 {
			pid = sys.cluster.PID(name)
		}
		used, err := cluster.CPU(pid)
		require.NoError(t, err)
		all[name] = used
	}
	return all
}

// busy is the time in which processors were not idle. It includes that of the load, and the time that
// the host of a virtual machine took.
func busy(t *testing.T) time.Duration {
	t.Helper()
	idle, all, err := cluster.Processors()
	require.NoError(t, err)
	return all - idle
}

func databaseUse(t *testing.T) cluster.DatabaseUse {
	t.Helper()
	use, err := sys.cluster.DatabaseUse(t.Context())
	require.NoError(t, err)
	return use
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
