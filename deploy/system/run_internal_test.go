package system

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// timeline records the events of several runs, in order.
type timeline struct {
	mu     sync.Mutex
	events []string
}

func (l *timeline) add(event string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, event)
}

// untilCancelled is a run that ends without an error when it is cancelled.
func (l *timeline) untilCancelled(name string) func(context.Context) error {
	return func(ctx context.Context) error {
		<-ctx.Done()
		l.add(name + " ended")
		return nil
	}
}

func TestAdminServesUntilAllOthersEnded(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var l timeline
	serving, stopping := make(chan context.Context, 1), make(chan struct{})
	release, done := make(chan struct{}), make(chan error, 1)
	admin := func(ctx context.Context) error {
		serving <- ctx
		return l.untilCancelled("admin")(ctx)
	}
	slow := func(ctx context.Context) error {
		<-ctx.Done()
		close(stopping)
		<-release
		l.add("slow ended")
		return ctx.Err()
	}
	go func() { done <- runAll(ctx, admin, slow, l.untilCancelled("quick")) }()
	adminCtx := <-serving
	cancel()
	<-stopping
	require.NoError(t, adminCtx.Err(), "admin was cancelled while a run was stopping")
	require.Empty(t, done, "did not wait for the slow run")
	close(release)
	require.ErrorIs(t, <-done, context.Canceled, "the error of the slow run")
	require.Error(t, adminCtx.Err())
	require.ElementsMatch(t, []string{"quick ended", "slow ended"}, l.events[:2])
	require.Equal(t, []string{"admin ended"}, l.events[2:])
}

func TestOneFailureEndsAll(t *testing.T) {
	broken := errors.New("broken")
	fails := func(context.Context) error { return broken }
	for name, tc := range map[string]struct {
		admin func(*timeline) func(context.Context) error
		run   func(context.Context) error
	}{
		"of a run": {func(l *timeline) func(context.Context) error { return l.untilCancelled("admin") }, fails},
		"of admin": {func(*timeline) func(context.Context) error { return fails }, func(context.Context) error { return nil }},
		"of both":  {func(*timeline) func(context.Context) error { return fails }, fails},
	} {
		t.Run(name, func(t *testing.T) {
			var l timeline
			err := runAll(t.Context(), tc.admin(&l), tc.run, l.untilCancelled("other"))
			require.ErrorIs(t, err, broken)
			require.Contains(t, l.events, "other ended")
		})
	}
}

func TestListenNamesTheSetting(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	_, err = listen(t.Context(), "frontend.listen", taken.Addr().String())
	require.ErrorContains(t, err, "frontend.listen: ")
}
