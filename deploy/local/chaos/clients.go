package main

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
	"time"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/auditor"
	"github.com/cloud-mirror/cloud-mirror/deploy/local/stack"
)

const (
	goodClients = 16
	thinking    = 400 * time.Millisecond // The longest pause of a client between two requests
	// patience bounds a request. It is beyond every wait and fault.
	patience     = 90 * time.Second
	standardWait = 28 * time.Second // Of the redirect route
	mirrorWait   = 10 * time.Second // Of the mirror route
	purgeWait    = 10 * time.Second // Of a purge of one pool, by its documented bound
	listWait     = 60 * time.Second // Of a list of warmObjects objects
	warmObjects  = 10
)

// zipf picks objects by popularity.
type zipf struct {
	*rand.Zipf
	objects []*object
}

func newZipf(r *rand.Rand, objects []*object) zipf {
	return zipf{rand.NewZipf(r, 1.2, 4, uint64(len(objects)-1)), objects}
}

func (z zipf) pick() *object { return z.objects[z.Uint64()] }

// request is one request of a client to a front end.
type request struct {
	method, path, route string
	object              string // URL, or empty
	region              string
	wait                time.Duration
	body                string
	token               string // Empty sends none
}

// redirect is a request for an object by one of both routes.
func (c *chaos) redirect(r *rand.Rand, o *object) request {
	region := stack.Regions()[r.IntN(len(stack.Regions()))]
	if !o.signed && r.IntN(2) == 0 {
		return request{
			method: http.MethodGet, route: "/v1/mirror", path: "/v1/mirror/s3/" + region + "/local" + o.path,
			object: c.urls(o)[1], region: region, wait: mirrorWait,
		}
	}
	q := request{method: http.MethodGet, route: "/v1/redirect", object: c.urls(o)[0], region: region, wait: standardWait}
	query := ""
	switch r.IntN(4) {
	case 0:
		query, q.wait = "?max_wait=0", 0
	case 1:
		query, q.wait = "?max_wait=2s", 2*time.Second
	case 2:
		query, q.wait = "?max_wait=8s", 8*time.Second
	}
	q.path = "/v1/redirect/s3/" + region + "/" + url.QueryEscape(q.object) + query
	return q
}

// urls returns the URLs by which clients request an object: an unsigned one has one for each route.
func (c *chaos) urls(o *object) []string {
	urls := []string{"http://" + c.hosts[0] + o.requestURI()}
	if !o.signed {
		urls = append(urls, "http://"+c.hosts[1]+o.requestURI())
	}
	return urls
}

// send makes a request, records its answer, and reads a copy to which it leads.
func (c *chaos) send(ctx context.Context, r *rand.Rand, q request) (answer auditor.Answer) {
	i := r.IntN(len(c.frontEnds))
	a := auditor.Answer{
		Method: q.method, URL: q.path, FrontEnd: stack.FrontEndName(i), Pool: "s3_" + q.region,
		Hash: auditor.HashOf(q.object), Statuses: c.statuses[q.method+" "+q.route], Wait: q.wait, At: time.Now(),
	}
	defer func() {
		if ctx.Err() == nil { // Otherwise the run has ended
			c.journal.Answer(answer)
		}
	}()
	got, err := c.do(ctx, "http://"+c.frontEnds[i].Addr()+q.path, q)
	a.Took, a.Lag = time.Since(a.At), c.lag.Since(a.At)+c.pings[i].Since(a.At)
	if err != nil {
		a.Err = err.Error()
		c.count("no response")
		return a
	}
	a.Status, a.Location = got.status, got.location
	a.Copy = c.isBucket(a.Location)
	c.count(outcome(q, a, got.body))
	if a.Copy {
		a.Downloaded = c.download(ctx, a.Location)
	}
	return a
}

func outcome(q request, a auditor.Answer, body string) string {
	switch {
	case a.Copy:
		return "copy"
	case a.Status == http.StatusFound:
		return "source"
	case q.route == "/v1/copies":
		return fmt.Sprintf("list %d, %d copies", a.Status, strings.Count(body, "\n"))
	}
	return fmt.Sprintf("%s %d", strings.TrimPrefix(q.route, "/v1/"), a.Status)
}

// response is the response of a front end.
type response struct {
	status         int
	location, body string
}

func (c *chaos) do(ctx context.Context, target string, q request) (got response, err error) {
	req, err := http.NewRequestWithContext(ctx, q.method, target, strings.NewReader(q.body))
	if err != nil {
		return got, err
	}
	if q.token != "" {
		req.Header.Set("Authorization", "Bearer "+q.token)
	}
	resp, err := c.http.Transport.RoundTrip(req)
	if err != nil {
		return got, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return response{resp.StatusCode, resp.Header.Get("Location"), string(body)}, err
}

// isBucket reports whether a location leads to a bucket, through its proxy.
func (c *chaos) isBucket(location string) bool {
	for _, region := range stack.Regions() {
		if strings.HasPrefix(location, "http://"+c.proxies[stack.S3Name(region)].Addr()+"/") {
			return true
		}
	}
	return false
}

// download reads a copy.
func (c *chaos) download(ctx context.Context, location string) *auditor.Download {
	d := &auditor.Download{}
	defer func() { d.To = time.Now() }()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, location, nil)
	if err != nil {
		d.Err = err.Error()
		return d
	}
	resp, err := c.http.Do(req)
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

// browse is a client that requests objects until the run ends.
func (c *chaos) browse(ctx context.Context, number uint64) {
	r := rand.New(rand.NewPCG(c.seed, 100+number))
	z := newZipf(r, c.objects)
	for ctx.Err() == nil {
		c.send(ctx, r, c.redirect(r, z.pick()))
		wait(ctx, time.Duration(r.Int64N(int64(thinking))))
	}
}

// purge is a client that purges objects. Half of them change first: no later request may lead to
// the bytes before.
func (c *chaos) purge(ctx context.Context) {
	r := rand.New(rand.NewPCG(c.seed, 50))
	z := newZipf(r, c.objects)
	for wait(ctx, time.Second+time.Duration(r.Int64N(int64(2*time.Second)))); ctx.Err() == nil; {
		o := z.pick()
		old := ""
		if r.IntN(2) == 0 {
			old = o.change()
		}
		done := true
		p := auditor.Replaced{Digest: old}
		for _, target := range c.urls(o) {
			q := request{
				method: http.MethodDelete, route: "/v1/purge", path: "/v1/purge/s3/all/" + url.QueryEscape(target), object: target,
				region: "all", wait: time.Duration(len(stack.Regions())) * purgeWait, token: stack.PurgeToken,
			}
			from := time.Now()
			a := c.send(ctx, r, q)
			for _, region := range stack.Regions() {
				c.journal.Purge(auditor.Purge{Pool: "s3_" + region, Hash: a.Hash, From: from, To: time.Now()})
			}
			done = done && a.Status == http.StatusNoContent
			p.Hashes = append(p.Hashes, a.Hash)
		}
		if p.At = time.Now(); done {
			c.purges.Add(1)
			if old != "" {
				c.journal.Replace(p)
			}
		}
		wait(ctx, time.Second+time.Duration(r.Int64N(int64(2*time.Second))))
	}
}

// warm is a client that posts lists of objects.
func (c *chaos) warm(ctx context.Context) {
	r := rand.New(rand.NewPCG(c.seed, 51))
	for wait(ctx, 2*time.Second); ctx.Err() == nil; wait(ctx, 5*time.Second) {
		var list strings.Builder
		for range warmObjects {
			line := map[string]any{
				"url":     c.urls(c.objects[r.IntN(len(c.objects))])[0],
				"regions": []string{stack.Regions()[r.IntN(len(stack.Regions()))]},
			}
			text, _ := json.Marshal(line) // It has no value that fails
			list.Write(text)
			list.WriteByte('\n')
		}
		c.send(ctx, r, request{method: http.MethodPost, route: "/v1/copies", path: "/v1/copies", wait: listWait, body: list.String(), token: stack.PurgeToken})
	}
}

const (
	pingEvery = 50 * time.Millisecond
	// pingTakes is how long a ping may take before the machine is late.
	pingTakes   = 20 * time.Millisecond
	pingTimeout = 5 * time.Second
)

// ping measures how late a front end answers a request that needs only the processor.
func (c *chaos) ping(ctx context.Context, number int) {
	for target := c.stack.FrontEndURLs()[number] + "/v1/ping"; ctx.Err() == nil; wait(ctx, pingEvery) {
		start := time.Now()
		timed, cancel := context.WithTimeout(ctx, pingTimeout)
		_, err := c.do(timed, target, request{method: http.MethodGet})
		cancel()
		if took := time.Since(start); err == nil && took > pingTakes {
			c.pings[number].Add(took)
		}
	}
}

// wait returns after d, or when ctx ends.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
