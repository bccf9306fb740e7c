// Command bench measures the main job on the local stack: a first request, the next ones, and a crowd of first requests.
// It prints figures beside those of an empty workflow of three activities, taken in the same run on the same machine,
// since the ratio says more than either on a noisy one.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
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
	"text/tabwriter"
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
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
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
	defer s.Close() //nolint:errcheck // the figures are there
	empty, err := newEmptyWorkflow(s.TemporalAddress())
	if err != nil {
		return err
	}
	defer empty.close()
	m := &mirror{frontEnd: s.FrontEndURLs()[0], client: &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: clients},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	m.source = httptest.NewServer(http.HandlerFunc(serveObject()))
	defer m.source.Close()
	return report(ctx, m, empty)
}

func report(ctx context.Context, m *mirror, empty *emptyWorkflow) error {
	var object atomic.Int64
	first := func(ctx context.Context) error { return m.ask(ctx, int(object.Add(1))) }
	again := func(ctx context.Context) error { return m.ask(ctx, 1) }
	// The first of everything pays for connections.
	if err := errors.Join(first(ctx), empty.run(ctx)); err != nil {
		return err
	}
	emptyTime, err1 := median(ctx, firsts, empty.run)
	firstTime, err2 := median(ctx, firsts, first)
	hitTime, err3 := median(ctx, hits, again)
	emptyRate, err4 := rate(ctx, crowd, empty.run)
	crowdRate, err5 := rate(ctx, crowd, first)
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		return err
	}
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(what, figure, ratio, target string) { fmt.Fprintf(t, "%s\t%s\t%s\t%s\t\n", what, figure, ratio, target) }
	ms := func(d time.Duration) string { return fmt.Sprintf("%.2f ms", float64(d.Microseconds())/1000) }
	row("", "measured", "ratio to the empty workflow", "target")
	row("empty workflow of three activities, median of 20", ms(emptyTime), "1.00", "")
	row("first request of a 1 KiB object, median of 20", ms(firstTime), fmt.Sprintf("%.2f", float64(firstTime)/float64(emptyTime)), "80 ms")
	row("next requests, median of 500", ms(hitTime), fmt.Sprintf("%.2f", float64(hitTime)/float64(emptyTime)), "2 ms")
	row("empty workflows, 50 at a time", fmt.Sprintf("%.1f/s", emptyRate), "1.00", "")
	row("first requests of 500 objects by 50 clients", fmt.Sprintf("%.1f/s", crowdRate), fmt.Sprintf("%.2f", crowdRate/emptyRate), "0.60")
	return t.Flush()
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
