package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// sample is one process that copied.
type sample struct {
	outcome
	wall, cpu time.Duration
	// memory is the most that was resident, in bytes. Linux has it begin with what was resident in the process that started
	// this one, so that this benchmark itself must stay small.
	memory int64
	// sent is what the source sent, divided by the object's size.
	sent float64
}

// sourceProcess is the sources as a process of their own, which ends with this one.
type sourceProcess struct {
	addresses
	cmd   *exec.Cmd
	stdin io.Closer
}

func (s *sourceProcess) start(self string) error {
	s.cmd = exec.Command(self, runSources) //nolint:noctx // this program; it ends with its standard input
	s.cmd.Stderr = os.Stderr
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if s.stdin, err = s.cmd.StdinPipe(); err != nil {
		return err
	}
	if err := s.cmd.Start(); err != nil {
		return fmt.Errorf("start the sources: %w", err)
	}
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("start the sources: %w", errors.Join(err, s.close()))
	}
	return json.Unmarshal(line, &s.addresses)
}

func (s *sourceProcess) close() error { return errors.Join(s.stdin.Close(), s.cmd.Wait()) }

// count is how many bytes of an object the sources have sent, in all answers together.
func (s *sourceProcess) count(ctx context.Context, name string) (int64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Plain+"/count?name="+url.QueryEscape(name), nil)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(string(b), 10, 64)
}

// command is this program again, with a task.
func (b *bench) command(ctx context.Context, what string, t task) (*exec.Cmd, error) {
	arg, err := json.Marshal(t)
	if err != nil {
		return nil, err
	}
	return exec.CommandContext(ctx, b.self, what, string(arg)), nil //nolint:gosec // this program
}

// own runs this program with a task.
func (b *bench) own(ctx context.Context, what string, t task) (s sample, err error) {
	cmd, err := b.command(ctx, what, t)
	if err != nil {
		return s, err
	}
	out, err := s.run(cmd)
	if err != nil {
		return s, fmt.Errorf("%s: %w", what, err)
	}
	return s, json.Unmarshal(out, &s.outcome)
}

// withRclone copies as somebody does who has rclone and no configuration of it, but for one thing: versitygw does not know
// the "Expect: 100-Continue" of rclone's AWS SDK by its capital letter, and rclone would wait a second with each part.
func (b *bench) withRclone(ctx context.Context, t task) (s sample, err error) {
	c := t.Copies[0]
	cmd := exec.CommandContext(ctx, b.rclone, "copyurl", c.URL, ":s3:"+bucketName+"/"+c.Key) //nolint:gosec // rclone
	cmd.Env = []string{
		"HOME=" + b.dir, "PATH=" + os.Getenv("PATH"), "RCLONE_CONFIG=" + os.DevNull, "RCLONE_EXPECT_CONTINUE_TIMEOUT=0",
		"RCLONE_S3_PROVIDER=Other", "RCLONE_S3_ENDPOINT=" + t.Endpoint, "RCLONE_S3_REGION=" + t.Region,
		"RCLONE_S3_FORCE_PATH_STYLE=true", "RCLONE_S3_ACCESS_KEY_ID=" + os.Getenv("AWS_ACCESS_KEY_ID"),
		"RCLONE_S3_SECRET_ACCESS_KEY=" + os.Getenv("AWS_SECRET_ACCESS_KEY"),
	}
	if _, err = s.run(cmd); err != nil {
		return s, fmt.Errorf("rclone: %w", err)
	}
	return s, nil
}

// run measures a process from its start to its end, and returns what it wrote.
func (s *sample) run(cmd *exec.Cmd) ([]byte, error) {
	start := time.Now()
	out, err := cmd.Output()
	s.wall = time.Since(start)
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		err = fmt.Errorf("%w: %s", err, exit.Stderr)
	}
	if err != nil {
		return nil, err
	}
	used, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return nil, errors.New("this system does not say what a process used")
	}
	s.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	s.memory = used.Maxrss << 10
	return out, nil
}
