package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/auditor"
	"github.com/cloud-mirror/cloud-mirror/deploy/local/cluster"
	"github.com/cloud-mirror/cloud-mirror/deploy/local/stack"
)

const (
	// deadline bounds each wait for a condition.
	deadline     = 90 * time.Second
	standardWait = 28 * time.Second
	// patience bounds a request. It is beyond every wait.
	patience = 2 * time.Minute
)

// clients have a connection each for every request in flight.
var clients = http.Client{
	Timeout:       patience,
	Transport:     &http.Transport{MaxIdleConnsPerHost: 100},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// answer is the response of a front end, through nginx.
type answer struct {
	auditor.Answer
	header http.Header
	body   struct{ Status, URL, Msg, Err string }
}

// request sends a request about an object and records its answer. wait is the client's max_wait.
func request(ctx context.Context, method, route, region, object string, wait time.Duration) (answer, error) {
	path := "/v1/" + route + "/s3/" + region + "/" + url.QueryEscape(object)
	if wait != standardWait && route == "redirect" {
		path += "?max_wait=" + wait.String()
	}
	a := answer{Answer: auditor.Answer{
		Method: method, URL: path, FrontEnd: cluster.Nginx, Pool: "s3_" + region, Hash: auditor.HashOf(object),
		Statuses: sys.statuses[method+" /v1/"+route], Wait: wait, At: time.Now(),
	}}
	err := a.send(ctx, sys.cluster.ProxyURL()+path)
	a.Took = time.Since(a.At)
	a.Lag = sys.lag.Since(a.At) + sys.pings[0].Since(a.At) + sys.pings[1].Since(a.At)
	if sys.restarted(a.At, a.At.Add(a.Took)) {
		a.Wait *= 2
	}
	if err != nil {
		a.Err = err.Error()
	}
	if a.Copy {
		a.Downloaded = download(ctx, a.Location)
	}
	if method == http.MethodDelete {
		sys.journal.Purge(auditor.Purge{Pool: a.Pool, Hash: a.Hash, From: a.At, To: time.Now()})
	}
	if ctx.Err() == nil {
		sys.journal.Answer(a.Answer)
	}
	return a, err
}

func (a *answer) send(ctx context.Context, target string) error {
	req, err := http.NewRequestWithContext(ctx, a.Method, target, nil)
	if err != nil {
		return err
	}
	if a.Method == http.MethodDelete {
		req.Header.Set("Authorization", "Bearer "+stack.PurgeToken)
	}
	resp, err := clients.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	a.Status, a.Location, a.header = resp.StatusCode, resp.Header.Get("Location"), resp.Header
	_ = json.Unmarshal(text, &a.body) // An answer of nginx is HTML, and has a status of nginx
	a.Copy = a.body.Status == "present"
	return nil
}

// download reads a copy.
func download(ctx context.Context, location string) *auditor.Download {
	d := &auditor.Download{}
	defer func() { d.To = time.Now() }()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, location, nil)
	if err != nil {
		d.Err = err.Error()
		return d
	}
	resp, err := clients.Do(req)
	if err != nil {
		d.Err = err.Error()
		return d
	}
	defer resp.Body.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, resp.Body); err != nil {
		d.Err = err.Error()
	}
	d.Status, d.Digest = resp.StatusCode, hex.EncodeToString(sum.Sum(nil))
	return d
}

func ask(t *testing.T, region, object string) answer {
	t.Helper()
	a, err := request(t.Context(), http.MethodGet, "redirect", region, object, standardWait)
	require.NoError(t, err)
	return a
}

// requireCopy checks that the answer leads to the object's bytes in the region's bucket.
func requireCopy(t *testing.T, s *source, region, object string, a answer) {
	t.Helper()
	require.Equal(t, 302, a.Status)
	require.True(t, a.Copy, "%+v", a.body)
	require.True(t, strings.HasPrefix(a.Location, sys.S3Endpoint(region)+"/"), a.Location)
	require.Empty(t, a.Downloaded.Err)
	require.Equal(t, 200, a.Downloaded.Status)
	sum := sha256.Sum256(body(s.path(object)))
	require.Equal(t, hex.EncodeToString(sum[:]), a.Downloaded.Digest)
}

// load is clients that request small objects, half of them new ones, until stop is called.
type load struct {
	cancel  context.CancelFunc
	running sync.WaitGroup

	requests, copies, sources, failures atomic.Int64
}

const (
	loadClients = 6
	thinking    = 300 * time.Millisecond // The longest pause of a client between two requests
)

func startLoad(t *testing.T, s *source) *load {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	l := &load{cancel: cancel}
	t.Cleanup(l.stop)
	for i := range loadClients {
		l.running.Go(func() { l.browse(ctx, s, uint64(i)) })
	}
	return l
}

func (l *load) stop() {
	l.cancel()
	l.running.Wait()
}

// browse is one client. It finishes the request that is in flight at the end.
func (l *load) browse(ctx context.Context, s *source, number uint64) {
	random := rand.New(rand.NewPCG(15, number))
	var known []string
	for ctx.Err() == nil {
		if len(known) == 0 || random.IntN(2) == 0 {
			size := kib + random.IntN(200*kib)
			if random.IntN(60) == 0 {
				size = 9*mib + random.IntN(mib)
			}
			known = append(known, s.object(size))
		}
		object := known[len(known)-1-random.IntN(min(len(known), 10))]
		region := stack.Regions()[random.IntN(len(stack.Regions()))]
		wait := []time.Duration{0, 2 * time.Second, 8 * time.Second, standardWait}[random.IntN(4)]
		a, err := request(context.WithoutCancel(ctx), http.MethodGet, "redirect", region, object, wait)
		l.requests.Add(1)
		switch {
		case err != nil:
			l.failures.Add(1)
		case a.Copy:
			l.copies.Add(1)
		case a.Status == http.StatusFound:
			l.sources.Add(1)
		}
		pause(ctx, time.Duration(random.Int64N(int64(thinking))))
	}
}

func (l *load) String() string {
	return fmt.Sprintf("%d requests: %d copies, %d sources, %d without a response", l.requests.Load(), l.copies.Load(),
		l.sources.Load(), l.failures.Load())
}

// page returns the body of a GET.
func page(t *testing.T, url string) string {
	t.Helper()
	resp, err := clients.Get(url)
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return string(text)
}
