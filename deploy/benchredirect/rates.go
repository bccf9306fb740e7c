package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/julienschmidt/httprouter"
)

// Targets: what ours may be of the bare router's.
const (
	memoryRate = 0.90
	redisRate  = 0.45
	memoryP99  = 1.5
)

// serveBare is the router with an answer that is always the same: address, location, content type and body.
func serveBare(args []string) error {
	address, location, contentType, body := args[0], args[1], args[2], []byte(args[3])
	r := httprouter.New()
	r.GET("/v1/redirect/:service/:region/*url", func(w http.ResponseWriter, _ *http.Request, _ httprouter.Params) {
		w.Header().Set("Location", location)
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(http.StatusFound)
		_, _ = w.Write(body) //nolint:gosec // nobody but wrk reads it
	})
	return http.ListenAndServe(address, r) //nolint:gosec // nobody but wrk asks it
}

// sample is what wrk says of a server.
type sample struct {
	rate float64       // requests a second
	p99  time.Duration // of an answer
}

// server is a process, and the script by which wrk asks it; without one it asks for one object.
type server struct {
	*process
	script string
}

// many is how many objects the script asks for.
const many = 1000

// script has wrk ask for many objects, whose entries are in redis then.
func (h *house) script(ctx context.Context) (string, error) {
	var text strings.Builder
	fmt.Fprintln(&text, "local paths = {}")
	for i := range many {
		if err := h.cache.Put(ctx, key(i), 0, present()); err != nil {
			return "", err
		}
		fmt.Fprintf(&text, "paths[%d] = %q\n", i, target(i))
	}
	fmt.Fprintf(&text, `
local requests, next = {}, 0
function init(args)
  for i = 0, %d do requests[i] = wrk.format("GET", paths[i]) end
end
function request()
  next = (next + 1) %% %d
  return requests[next]
end
`, many-1, many)
	file := filepath.Join(h.dir, "many.lua")
	return file, os.WriteFile(file, []byte(text.String()), 0o600)
}

// rates measures hits, the servers in turn, so that all of them have the machine's better and worse moments.
func rates(ctx context.Context, h *house, t *table) error {
	if err := h.cache.Put(ctx, key(0), 0, present()); err != nil {
		return err
	}
	memory, err := h.frontEnd(ctx, announcing, 100_000, "256MiB")
	if err != nil {
		return err
	}
	defer memory.stop()
	plain, err := h.frontEnd(ctx, silent, 100_000, "256MiB")
	if err != nil {
		return err
	}
	defer plain.stop()
	bare, err := h.bare(ctx, memory)
	if err != nil {
		return err
	}
	defer bare.stop()
	// The reads of one entry at the same time would be one: where redis is read, wrk asks for many in turn, which costs it
	// something, and so it does with the bare router beside it.
	script, err := h.script(ctx)
	if err != nil {
		return err
	}
	servers := []server{{bare, ""}, {memory, ""}, {bare, script}, {plain, script}}
	samples := make([][]sample, len(servers))
	for round := range h.rounds + 1 {
		for i, p := range servers {
			s, err := h.wrk(ctx, p.process, p.script)
			if err != nil {
				return err
			}
			if round > 0 { // the first one warms up
				samples[i] = append(samples[i], s)
			}
		}
	}
	rate := func(s sample) float64 { return s.rate }
	p99 := func(s sample) float64 { return s.p99.Seconds() * 1000 }
	ratio := func(ours, bare []sample, f func(sample) float64) float64 {
		ratios := make([]float64, len(ours))
		for i := range ours {
			ratios[i] = f(ours[i]) / f(bare[i])
		}
		return median(ratios, func(r float64) float64 { return r })
	}
	title := fmt.Sprintf("hits, %d connections", h.connections)
	t.add(title+", bare router", median(samples[0], rate), "/s", 0, 0)
	t.add(title+", from memory", median(samples[1], rate), "/s", ratio(samples[1], samples[0], rate), memoryRate)
	t.add(title+", many objects, bare router", median(samples[2], rate), "/s", 0, 0)
	t.add(title+", many objects, from redis", median(samples[3], rate), "/s", ratio(samples[3], samples[2], rate), redisRate)
	t.add("p99, bare router", median(samples[0], p99), "ms", 0, 0)
	t.add("p99, from memory", median(samples[1], p99), "ms", ratio(samples[1], samples[0], p99), -memoryP99)
	t.add("p99, many objects, bare router", median(samples[2], p99), "ms", 0, 0)
	t.add("p99, many objects, from redis", median(samples[3], p99), "ms", ratio(samples[3], samples[2], p99), 0)
	return nil
}

// bare is a router that answers what a front end does.
func (h *house) bare(ctx context.Context, of *process) (*process, error) {
	resp, err := get(ctx, of, 0)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return h.start(ctx, nil, address, self, runBare, address, resp.Header.Get("Location"), resp.Header.Get("Content-Type"), string(body))
}

// client follows no redirect, and keeps a connection for each of many who wait.
func newClient() *http.Client {
	return &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: 2000, DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// get asks for an object, and fails unless there is a copy.
func get(ctx context.Context, p *process, i int) (*http.Response, error) {
	return getBy(ctx, newClient(), p, i)
}

func getBy(ctx context.Context, c *http.Client, p *process, i int) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.address+target(i), nil)
	if err != nil {
		return nil, err
	}
	resp, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	if u, err := resp.Location(); err != nil || u.Query().Get("X-Amz-Signature") == "" {
		_ = resp.Body.Close()
		return nil, fmt.Errorf("object %d: %s without a copy", i, resp.Status)
	}
	return resp, nil
}

var (
	wrkRate = regexp.MustCompile(`Requests/sec:\s+([\d.]+)`)
	wrkP99  = regexp.MustCompile(`99%\s+([\d.]+)(us|ms|s)\b`)
	wrkBad  = regexp.MustCompile(`Socket errors: .*|Non-2xx or 3xx responses: .*`)
)

func (h *house) wrk(ctx context.Context, p *process, script string) (sample, error) {
	args := []string{"-t1", "-c" + strconv.Itoa(h.connections), "-d" + strconv.Itoa(int(max(1, h.length/time.Second))) + "s", "--latency"}
	if script != "" {
		args = append(args, "-s", script)
	}
	cmd := exec.CommandContext(ctx, "wrk", append(args, "http://"+p.address+target(0))...) //nolint:gosec // wrk
	out, err := cmd.CombinedOutput()
	rate, p99 := wrkRate.FindSubmatch(out), wrkP99.FindSubmatch(out)
	if err != nil || rate == nil || p99 == nil || wrkBad.Match(out) {
		return sample{}, fmt.Errorf("wrk: %w: %s", cmp.Or(err, fmt.Errorf("failed requests")), out)
	}
	var s sample
	if s.rate, err = strconv.ParseFloat(string(rate[1]), 64); err != nil {
		return s, err
	}
	s.p99, err = time.ParseDuration(string(p99[1]) + string(p99[2]))
	return s, err
}

func median[T any](all []T, f func(T) float64) float64 {
	values := make([]float64, len(all))
	for i, v := range all {
		values[i] = f(v)
	}
	slices.Sort(values)
	return values[len(values)/2]
}
