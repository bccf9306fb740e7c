package flight

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
)

const gated = "s3_us-west-2"

// backlogs stands in for redis.
type backlogs struct {
	all map[string]cache.Backlog
	err error
}

func (b *backlogs) Backlogs(context.Context, []string) (map[string]cache.Backlog, error) {
	return b.all, b.err
}

func newTestGate(t *testing.T, b *backlogs) *Gate {
	t.Helper()
	return NewGate(GateOptions{
		Backlogs: b, Pools: []string{gated, "s3_us-east-1"}, MaxTasks: 1000, MaxAge: time.Minute,
		Log: zerolog.New(zerolog.NewTestWriter(t)),
	})
}

func TestGate(t *testing.T) {
	type step struct {
		backlog        *cache.Backlog // nil is unknown
		clients, lists bool           // Whether they pass.
	}
	tasks := func(n int64) *cache.Backlog { return &cache.Backlog{Tasks: n} }
	age := func(d time.Duration) *cache.Backlog { return &cache.Backlog{Tasks: 1, Age: d} }
	for name, steps := range map[string][]step{
		"tasks": {
			{tasks(0), true, true},
			{tasks(500), true, true},
			{tasks(501), true, false},
			{tasks(1000), true, false},
			{tasks(1001), false, false},
			{tasks(801), false, false}, // A closed gate reopens only at 80 %.
			{tasks(800), true, false},
			{tasks(1000), true, false},
			{tasks(401), true, false},
			{tasks(400), true, true},
		},
		"age": {
			{age(30 * time.Second), true, true},
			{age(31 * time.Second), true, false},
			{age(61 * time.Second), false, false},
			{age(48 * time.Second), true, false},
			{age(time.Second), true, true},
		},
		"a backlog that is unknown": {
			{nil, true, true},
			{tasks(5000), false, false},
			{nil, true, true},
			{tasks(801), true, false}, // The earlier state is forgotten.
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := &backlogs{}
			g := newTestGate(t, b)
			require.NoError(t, g.pass(gated, forClients), "nothing was read yet")
			for i, s := range steps {
				b.all = map[string]cache.Backlog{}
				if s.backlog != nil {
					b.all[gated] = *s.backlog
				}
				g.read(t.Context())
				require.Equal(t, s.clients, g.pass(gated, forClients) == nil, "clients, step %d", i)
				require.Equal(t, s.lists, g.pass(gated, forLists) == nil, "lists, step %d", i)
				require.NoError(t, g.pass("s3_us-east-1", forClients), "another pool")
			}
		})
	}
}

func TestGateOpensWhileRedisIsDown(t *testing.T) {
	b := &backlogs{all: map[string]cache.Backlog{gated: {Tasks: 5000}}}
	g := newTestGate(t, b)
	g.read(t.Context())
	require.Error(t, g.pass(gated, forClients), "control: the gate is closed")
	b.err = errors.New("down")
	g.read(t.Context())
	require.NoError(t, g.pass(gated, forClients))
	b.err = nil
	g.read(t.Context())
	require.Error(t, g.pass(gated, forClients))
}

func TestGateWithoutLimits(t *testing.T) {
	var none *Gate
	require.NoError(t, none.pass(gated, forClients))
	g := newTestGate(t, &backlogs{all: map[string]cache.Backlog{gated: {Tasks: 1 << 40, Age: time.Hour}}})
	g.o.MaxTasks, g.o.MaxAge = 0, 0
	g.read(t.Context())
	require.NoError(t, g.pass(gated, forClients))
	g.Run(t.Context()) // Returns, since there is nothing to do.
}

func TestRetryAfterOfAGate(t *testing.T) {
	for name, tc := range map[string]struct {
		backlog cache.Backlog
		want    time.Duration
	}{
		"tasks by the workers' rate": {cache.Backlog{Tasks: 2000, Rate: 100}, 12 * time.Second},
		"at least a second":          {cache.Backlog{Tasks: 1001, Rate: 1e6}, time.Second},
		"at most a minute":           {cache.Backlog{Tasks: 1e9, Rate: 1}, time.Minute},
		"no task is taken":           {cache.Backlog{Tasks: 1001}, time.Minute},
		"age":                        {cache.Backlog{Age: 70 * time.Second}, 22 * time.Second},
		"the later of both":          {cache.Backlog{Tasks: 2000, Rate: 100, Age: 61 * time.Second}, 13 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			g := newTestGate(t, &backlogs{all: map[string]cache.Backlog{gated: tc.backlog}})
			g.read(t.Context())
			require.Equal(t, &LimitError{Limit: LimitBacklog, RetryAfter: tc.want}, g.pass(gated, forClients))
		})
	}
}
