package load

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/cloud-mirror/cloud-mirror/deploy/bench/process"
)

// Tally counts events by name. It serves the counts as JSON. It is safe for concurrent use.
type Tally struct {
	mu     sync.Mutex
	counts map[string]int
}

// Count counts an event.
func (t *Tally) Count(what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.counts == nil {
		t.counts = map[string]int{}
	}
	t.counts[what]++
}

// Counts returns a copy of the counts.
func (t *Tally) Counts() map[string]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.counts)
}

// ServeHTTP serves the counts.
func (t *Tally) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	_ = json.NewEncoder(w).Encode(t.Counts())
}

// DescribeCounts lists counts, the largest first.
func DescribeCounts(counts map[string]int) string {
	names := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		if counts[a] != counts[b] {
			return counts[b] - counts[a]
		}
		return strings.Compare(a, b)
	})
	for i, name := range names {
		names[i] = fmt.Sprintf("%d × %s", counts[name], name)
	}
	return strings.Join(names, ", ")
}

// IfTimeout returns then if the error is a time-out, and otherwise the other text.
func IfTimeout(err error, then, otherwise string) string {
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return then
	}
	return otherwise
}

// Background is a process that works until Stop, and tallies its work.
type Background struct{ server *process.Server }

// StartBackground runs this program with the arguments command, a control address and task in JSON.
// The command calls [ServeBackground].
func StartBackground(ctx context.Context, command string, task any) (*Background, error) {
	control, err := process.FreeAddress()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(task)
	if err != nil {
		return nil, err
	}
	server, err := process.StartSelf(ctx, control, command, control, string(text))
	return &Background{server}, err
}

// ServeBackground is the main function of a background process. It serves the tally at the control
// address while work runs and after that, until the parent ends it.
func ServeBackground(ctx context.Context, control string, t *Tally, work func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	return process.UntilOrphaned(
		func() error { return http.ListenAndServe(control, t) }, //nolint:gosec // Only the parent connects
		func() error {
			if err := work(ctx); err != nil {
				return err
			}
			<-ctx.Done() // It keeps the tally until Stop.
			return nil
		},
	)
}

// Stop ends the process.
func (b *Background) Stop() { b.server.Stop() }

// Counts returns the process's tally.
func (b *Background) Counts(ctx context.Context) (counts map[string]int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+b.server.Address, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("the background ended early: %w", err)
	}
	defer resp.Body.Close()
	err = json.NewDecoder(resp.Body).Decode(&counts)
	return counts, err
}

// Effort describes the tally. An empty tally is an error.
func (b *Background) Effort(ctx context.Context) (string, error) {
	counts, err := b.Counts(ctx)
	if err == nil && len(counts) == 0 {
		err = errors.New("the background sent nothing")
	}
	return DescribeCounts(counts), err
}
