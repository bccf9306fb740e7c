package supervise

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"syscall"
)

// Run runs a process once and waits for its exit. An exit status other than 0 is an error with the
// end of the log. When the context ends, Run kills the process and its group.
func Run(ctx context.Context, spec Spec) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // As in supervise
		defer runtime.UnlockOSThread()
		result <- run(ctx, spec)
	}()
	return <-result
}

func run(ctx context.Context, spec Spec) error {
	cmd, log, err := newCommand(spec)
	if err != nil {
		return fmt.Errorf("%s: %w", spec.Name, err)
	}
	defer log.Close()
	from, _ := log.Seek(0, io.SeekEnd)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("%s: %w", spec.Name, err)
	}
	stop := context.AfterFunc(ctx, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	err = cmd.Wait()
	if !stop() && ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("%s: %w%s", spec.Name, err, tail(spec.Log, from))
	}
	return nil
}
