package system

import (
	"context"
	"errors"
	"fmt"
	"net"

	"golang.org/x/sync/errgroup"
)

// listen listens on the TCP address of a setting. Its error names the setting.
func listen(ctx context.Context, key, address string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	return l, nil
}

// runAll calls admin and every run concurrently until one fails or ctx ends. Then it cancels every
// run, waits for them, and ends admin last, so that an operator can watch the shutdown.
func runAll(ctx context.Context, admin func(context.Context) error, run ...func(context.Context) error) error {
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	served := make(chan error, 1)
	go func() {
		served <- admin(serving)
		cancel()
	}()
	group, ctx := errgroup.WithContext(ctx)
	for _, f := range run {
		group.Go(func() error { return f(ctx) })
	}
	err := group.Wait()
	stop()
	return errors.Join(err, <-served)
}
