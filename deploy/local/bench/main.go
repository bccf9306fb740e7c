// Command bench measures the main job on the local stack: a first request, the next ones, and a crowd of first requests.
// It prints figures beside those of an empty workflow of three activities, taken in the same run on the same machine,
// since the ratio says more than either on a noisy one.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/stack"
)

const (
	objectSize = 1 << 10 // bytes
	firsts     = 20      // first requests, one after the other
	hits       = 500     // next ones
	crowd      = 500     // objects that nobody asked for before
	clients    = 50      // who ask for them
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "cloud-mirror-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	root, err := stack.FindRoot(".")
	if err != nil {
		return err
	}
	s, err := stack.Start(ctx, stack.Options{Root: root, StateDir: dir, Log: os.Stderr})
	if err != nil {
		return err
	}
	return errors.Join(bench(ctx, s), s.Close())
}

func bench(ctx context.Context, s *stack.Stack) error {
	empty, err := newEmptyWorkflow(s.TemporalAddress())
	if err != nil {
		return err
	}
	defer empty.close()
	m := &mirror{frontEnd: s.FrontEndURLs()[0], client: &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: clients},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	m.source = httptest.NewServer(serveObject())
	defer m.source.Close()
	f, err := measure(ctx, m, empty)
	if err != nil {
		return err
	}
	f.print(os.Stdout)
	return nil
}

// figures are what a run measured: medians of single calls, and how many were done a second with many at a time.
type figures struct {
	emptyTime, firstTime, hitTime time.Duration
	emptyRate, crowdRate          float64
}

func measure(ctx context.Context, m *mirror, empty *emptyWorkflow) (figures, error) {
	var object atomic.Int64
	first := func(ctx context.Context) error { return m.ask(ctx, int(object.Add(1))) }
	again := func(ctx context.Context) error { return m.ask(ctx, 1) }
	// The first of everything pays for connections.
	if err := errors.Join(first(ctx), empty.run(ctx)); err != nil {
		return figures{}, err
	}
	var f figures
	var errs [5]error
	f.emptyTime, errs[0] = median(ctx, firsts, empty.run)
	f.firstTime, errs[1] = median(ctx, firsts, first)
	f.hitTime, errs[2] = median(ctx, hits, again)
	f.emptyRate, errs[3] = rate(ctx, crowd, empty.run)
	f.crowdRate, errs[4] = rate(ctx, crowd, first)
	return f, errors.Join(errs[:]...)
}

// print writes a table: what was measured on the left, the numbers flush right.
func (f figures) print(w io.Writer) {
	row := func(what, measured, ratio, target string) {
		fmt.Fprintf(w, "%-50s%12s%9s%15s\n", what, measured, ratio, target)
	}
	took := func(what string, n int, d time.Duration, target string) {
		row(fmt.Sprintf("%s, median of %d", what, n), fmt.Sprintf("%.2f ms", d.Seconds()*1000),
			fmt.Sprintf("%.2f", d.Seconds()/f.emptyTime.Seconds()), target)
	}
	done := func(what string, perSecond float64, target string) {
		row(fmt.Sprintf("%d %s, %d at a time", crowd, what, clients), fmt.Sprintf("%.1f /s", perSecond),
			fmt.Sprintf("%.2f", perSecond/f.emptyRate), target)
	}
	row("", "measured", "ratio", "target")
	took("empty workflow of three activities", firsts, f.emptyTime, "")
	took("first request of a 1 KiB object", firsts, f.firstTime, "80 ms")
	took("next request of it", hits, f.hitTime, "2 ms")
	done("empty workflows", f.emptyRate, "")
	done("first requests", f.crowdRate, "ratio 0.60")
	fmt.Fprintln(w, "The ratio is to the empty workflow.")
}

// mirror asks a front end for objects of the source.
type mirror struct {
	frontEnd string
	source   *httptest.Server
	client   *http.Client
}

func serveObject() http.HandlerFunc {
	body := make([]byte, objectSize)
	_, _ = rand.Read(body)
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.Header().Set("ETag", `"e"`)
		if r.Method == http.MethodGet {
			_, _ = w.Write(body)
		}
	}
}

// ask fails unless it is redirected to a copy.
func (m *mirror) ask(ctx context.Context, object int) error {
	target := m.frontEnd + "/v1/redirect/s3/us-west-2/" + url.QueryEscape(fmt.Sprintf("%s/%d/object.bin", m.source.URL, object))
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return err
	}
	resp, err := m.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if u, err := resp.Location(); err != nil || u.Query().Get("X-Amz-Signature") == "" {
		return fmt.Errorf("object %d: %s without a copy", object, resp.Status)
	}
	return nil
}

// median times n calls, one after the other.
func median(ctx context.Context, n int, f func(context.Context) error) (time.Duration, error) {
	took := make([]time.Duration, n)
	for i := range took {
		start := time.Now()
		if err := f(ctx); err != nil {
			return 0, err
		}
		took[i] = time.Since(start)
	}
	slices.Sort(took)
	return took[n/2], nil
}

// rate makes n calls, as many at a time as there are clients, and returns how many were done a second.
func rate(ctx context.Context, n int, f func(context.Context) error) (float64, error) {
	var next atomic.Int64
	var all sync.WaitGroup
	errs := make(chan error, clients)
	start := time.Now()
	for range clients {
		all.Go(func() {
			for next.Add(1) <= int64(n) {
				if err := f(ctx); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	all.Wait()
	took := time.Since(start)
	close(errs)
	return float64(n) / took.Seconds(), <-errs
}
