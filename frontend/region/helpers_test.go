package region_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/frontend/region"
)

// waitTimeout bounds the wait for an event that should happen at once.
const waitTimeout = 10 * time.Second

// ipRanges makes a document, in AWS's form, of "prefix region" lines.
func ipRanges(lines ...string) string {
	doc := map[string]any{"syncToken": "1", "createDate": "2026-11-24-00-00-00"}
	lists := map[string][]map[string]string{"prefixes": {}, "ipv6_prefixes": {}}
	for i, line := range lines {
		prefix, region, _ := strings.Cut(line, " ")
		list, key := "prefixes", "ip_prefix"
		if strings.Contains(prefix, ":") {
			list, key = "ipv6_prefixes", "ipv6_prefix"
		}
		lists[list] = append(lists[list], map[string]string{
			key: prefix, "region": region, "service": fmt.Sprintf("SERVICE%d", i), "network_border_group": region,
		})
	}
	for list, all := range lists {
		doc[list] = all
	}
	body, _ := json.Marshal(doc) // can't fail on strings
	return string(body)
}

// replaceFile replaces a file atomically, as the maintainer of a document should.
func replaceFile(t *testing.T, path, body string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path+".new", []byte(body), 0o600))
	require.NoError(t, os.Rename(path+".new", path))
}

func tempFile(t *testing.T, body string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ranges.json")
	replaceFile(t, path, body)
	return path
}

// newLocator returns a locator that has loaded a file in o.IPRanges. It does not load a URL.
func newLocator(t testing.TB, o region.Options) *region.Locator {
	t.Helper()
	l, err := region.New(o)
	require.NoError(t, err)
	require.NoError(t, l.Load(t.Context()))
	return l
}

// requestFrom returns a client's request as net/http passes it to a handler.
func requestFrom(remoteAddr string, forwardedFor ...string) *http.Request {
	return &http.Request{RemoteAddr: remoteAddr, Header: http.Header{"X-Forwarded-For": forwardedFor}}
}

// failures collects reported errors.
type failures struct {
	mu  sync.Mutex
	all []string
}

func (f *failures) report(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all = append(f.all, err.Error())
}

func (f *failures) drain() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := f.all
	f.all = nil
	return all
}

// clock is a locator's clock. Only tick makes its time pass.
type clock struct {
	pauses chan time.Duration
	ticks  chan time.Time
}

func newClock() *clock {
	return &clock{pauses: make(chan time.Duration, 100), ticks: make(chan time.Time)}
}

func (c *clock) after(d time.Duration) <-chan time.Time {
	c.pauses <- d
	return c.ticks
}

// pause waits until the locator waits, which it does after each load, and returns the duration of
// that wait.
func (c *clock) pause(t *testing.T) time.Duration {
	t.Helper()
	select {
	case d := <-c.pauses:
		return d
	case <-time.After(waitTimeout):
		require.FailNow(t, "the locator does not wait for its next load")
		return 0
	}
}

// tick ends the pause.
func (c *clock) tick(t *testing.T) {
	t.Helper()
	select {
	case c.ticks <- time.Time{}:
	case <-time.After(waitTimeout):
		require.FailNow(t, "the locator does not load again")
	}
}

// runLocator runs a locator until the end of the test, or until stop, which waits for Run to
// return.
func runLocator(t *testing.T, l *region.Locator) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { l.Run(ctx); close(done) }()
	stop = func() {
		cancel()
		select {
		case <-done:
		case <-time.After(waitTimeout):
			t.Error("Run does not return after its context is done")
		}
	}
	t.Cleanup(stop)
	return stop
}
