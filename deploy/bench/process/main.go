package process

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// timeout bounds a benchmark that sets no bound.
const timeout = 10 * time.Minute

// Main is the main function of a benchmark. It calls run with the command line's arguments. The
// context ends at SIGINT, at SIGTERM and after 10 minutes. Main reports an error with the
// benchmark's name, and exits with status 1.
func Main(name string, run func(ctx context.Context, args []string) error) {
	MainFor(name, timeout, run)
}

// MainFor is Main with another time limit.
func MainFor(name string, limit time.Duration, run func(ctx context.Context, args []string) error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ctx, cancel := context.WithTimeout(ctx, limit)
	err := run(ctx, os.Args[1:])
	cancel()
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
}
