package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/stack"
	"github.com/cloud-mirror/cloud-mirror/deploy/local/supervise"
	"github.com/cloud-mirror/cloud-mirror/deploy/local/tools"
)

// ErrUnknown means that no part of the cluster has the given name.
var ErrUnknown = errors.New("no such part")

// startTimeout bounds the start of the processes, after their programs are built.
const startTimeout = 3 * time.Minute

// Options configures a Cluster.
type Options struct {
	// Root is the root of the repository.
	Root string
	// Dir is an empty folder, or one that Start creates. Other users can pass through it, so that
	// PostgreSQL reaches its data.
	Dir string
	// Log receives the progress of the start and the events of processes, a line each.
	Log io.Writer
}

// Cluster is a running cluster. It is safe for concurrent use, except for StartNginx.
type Cluster struct {
	opts     Options
	database database
	ports    []int // Unused ones
	release  func()
	frontEnd int // Port of Temporal's frontend
	proxy    int // Port of nginx, or 0

	parts []*supervise.Process // Started first, closed last

	logMu  sync.Mutex
	closed sync.Once
}

// portCount is how many ports the parts need at most: one of PostgreSQL, one of nginx, and two of each
// service.
const portCount = 2 + 2*5

// Start starts PostgreSQL and Temporal, and registers the namespace default. The context bounds the
// start only. The first start builds Temporal, which takes minutes.
func Start(ctx context.Context, o Options) (*Cluster, error) {
	if o.Log == nil {
		o.Log = io.Discard
	}
	c := &Cluster{opts: o}
	t := tools.Tools{Root: o.Root, Log: o.Log}
	server, err := t.Pinned(ctx, tools.TemporalServer())
	if err != nil {
		return nil, err
	}
	schema, err := t.Pinned(ctx, tools.TemporalSQLTool())
	if err != nil {
		return nil, err
	}
	if c.ports, c.release, err = stack.FreePorts(portCount); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := c.start(ctx, server, schema); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func (c *Cluster) start(ctx context.Context, server, schema string) error {
	if err := os.MkdirAll(c.LogDir(), 0o755); err != nil {
		return fmt.Errorf("create the folder of the cluster: %w", err)
	}
	if err := os.Chmod(c.opts.Dir, 0o711); err != nil {
		return fmt.Errorf("let other users pass through the folder of the cluster: %w", err)
	}
	began := time.Now()
	if err := c.startDatabase(ctx); err != nil {
		return err
	}
	if err := c.makeSchemas(ctx, schema); err != nil {
		return err
	}
	c.say("PostgreSQL ready, with Temporal's schemas (%s)", time.Since(began).Round(time.Millisecond))
	began = time.Now()
	if err := c.startTemporal(ctx, server); err != nil {
		return err
	}
	c.say("Temporal ready at %s (%s)", c.TemporalAddress(), time.Since(began).Round(time.Millisecond))
	return nil
}

// run starts parts concurrently, and waits until all are ready.
func (c *Cluster) run(ctx context.Context, specs ...supervise.Spec) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, spec := range specs {
		p := supervise.New(spec, supervise.Options{OnRestart: func(name, how string, pid int) {
			c.say("%s ended (%s); restarted as process %d", name, how, pid)
		}})
		c.parts = append(c.parts, p)
		group.Go(func() error { return p.Start(ctx) })
	}
	return group.Wait()
}

// Close stops all parts, Temporal before PostgreSQL. It is idempotent.
func (c *Cluster) Close() {
	c.closed.Do(func() {
		var wait sync.WaitGroup
		for _, p := range c.parts {
			if p.Name() != PostgreSQL {
				wait.Go(p.Close)
			}
		}
		wait.Wait()
		for _, p := range c.parts {
			p.Close()
		}
		c.release()
	})
}

// Names returns the names of all parts in the order of their start: postgresql, temporal-history-1,
// temporal-frontend, temporal-history-2, temporal-matching, temporal-worker, and nginx if it runs.
func (c *Cluster) Names() []string {
	var names []string
	for _, p := range c.parts {
		names = append(names, p.Name())
	}
	return names
}

func (c *Cluster) part(name string) (*supervise.Process, error) {
	for _, p := range c.parts {
		if p.Name() == name {
			return p, nil
		}
	}
	return nil, fmt.Errorf("%s: %w", name, ErrUnknown)
}

// PID returns the process id of a part, or 0 while it does not run.
func (c *Cluster) PID(name string) int {
	if p, err := c.part(name); err == nil {
		return p.PID()
	}
	return 0
}

// Kill sends SIGKILL to a part and returns when the process has ended. The part is then restarted;
// see WaitReady.
func (c *Cluster) Kill(name string) error {
	p, err := c.part(name)
	if err != nil {
		return err
	}
	return p.Kill()
}

// Restart ends a part with SIGTERM, starts it again, and returns when it is ready.
func (c *Cluster) Restart(ctx context.Context, name string) error {
	p, err := c.part(name)
	if err != nil {
		return err
	}
	p.Stop()
	return p.Start(ctx)
}

// WaitReady returns when a part is ready. After Kill that is its next process.
func (c *Cluster) WaitReady(ctx context.Context, name string) error {
	p, err := c.part(name)
	if err != nil {
		return err
	}
	return p.WaitReady(ctx)
}

// Temporal is the service for a stack.
func (c *Cluster) Temporal() *stack.Temporal { return stack.TemporalAt(c.TemporalAddress()) }

// TemporalAddress returns host and port of Temporal's gRPC service.
func (c *Cluster) TemporalAddress() string { return address(c.frontEnd) }

// LogDir returns the folder of the logs: NAME.log for each process.
func (c *Cluster) LogDir() string { return filepath.Join(c.opts.Dir, "logs") }

func (c *Cluster) logPath(name string) string { return filepath.Join(c.LogDir(), name+".log") }

// port takes an unused port.
func (c *Cluster) port() int {
	port := c.ports[0]
	c.ports = c.ports[1:]
	return port
}

func (c *Cluster) say(format string, args ...any) {
	c.logMu.Lock()
	defer c.logMu.Unlock()
	fmt.Fprintf(c.opts.Log, "%s  %s\n", time.Now().Format(time.TimeOnly), fmt.Sprintf(format, args...))
}

func address(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

// programEnv is the environment of the programs, without the user's settings.
func programEnv(own ...string) []string {
	return append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "TZ=UTC", "LC_ALL=C"}, own...)
}
