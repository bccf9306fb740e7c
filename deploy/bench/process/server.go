package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"
)

const (
	startTimeout = 20 * time.Second
	dialEvery    = 10 * time.Millisecond
)

// Server is a running process that accepts connections at Address.
type Server struct {
	Address string

	cmd   *exec.Cmd
	stdin io.Closer
	ended chan struct{} // Closed after err is set
	err   error         // Of cmd.Wait
}

// Start runs p and returns when it accepts TCP connections at address, which takes at most 20 s.
// The process writes its errors to this process's standard error.
func Start(ctx context.Context, p Program, address string) (*Server, error) {
	s := &Server{Address: address, cmd: p.command(ctx), ended: make(chan struct{})}
	s.cmd.Stderr = os.Stderr
	var err error
	if s.stdin, err = s.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("start %s: %w", p.name(), err)
	}
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", p.name(), err)
	}
	go func() {
		s.err = s.cmd.Wait()
		close(s.ended)
	}()
	if err := s.waitReady(ctx); err != nil {
		s.Stop()
		return nil, fmt.Errorf("start %s: %w", p.name(), err)
	}
	return s, nil
}

// StartSelf starts the running program with other arguments; see [Start].
func StartSelf(ctx context.Context, address string, args ...string) (*Server, error) {
	p, err := Self(args...)
	if err != nil {
		return nil, err
	}
	return Start(ctx, p, address)
}

func (s *Server) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.Address)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-s.ended:
		case <-ctx.Done():
		case <-time.After(dialEvery):
			continue
		}
		if ctx.Err() != nil { // First: the context also kills the process
			return fmt.Errorf("it accepts no connections at %s: %w", s.Address, ctx.Err())
		}
		return errors.Join(errors.New("it ended before it accepted connections"), s.err)
	}
}

// Stop ends the process with SIGTERM and waits for its end. It is idempotent.
func (s *Server) Stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	_ = s.stdin.Close()
	<-s.ended
}

// UntilOrphaned runs serve until it fails or this process's standard input ends. In a process that
// [Start] started the input ends with the parent.
func UntilOrphaned(serve ...func() error) error {
	failed := make(chan error, len(serve)+1)
	for _, f := range serve {
		go func() { failed <- f() }()
	}
	go func() {
		_, err := io.Copy(io.Discard, os.Stdin)
		failed <- err
	}()
	return <-failed
}

// FreeAddress returns an address on the loopback interface that is free at the moment.
func FreeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // It does not block
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// PID returns the id of the process.
func (s *Server) PID() int { return s.cmd.Process.Pid }
