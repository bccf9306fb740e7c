package load

import (
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/cloud-mirror/cloud-mirror/deploy/bench/client"
)

// Recorder records the samples of concurrent requests. The zero value is ready. It is safe for
// concurrent use.
type Recorder struct {
	failures Tally

	mu   sync.Mutex
	took []float64 // Of successful requests, in milliseconds
}

// Samples returns all samples. Call it after the requests.
func (r *Recorder) Samples() Samples { return Samples{Took: r.took, Failed: r.failures.Counts()} }

// Fail records a failed request.
func (r *Recorder) Fail(why string) { r.failures.Count(why) }

// Succeed records a successful request that was due at a time.
func (r *Recorder) Succeed(due time.Time) {
	took := time.Since(due).Seconds() * 1000
	r.mu.Lock()
	defer r.mu.Unlock()
	r.took = append(r.took, took)
}

// Request sends a request and records its latency since it was due. A request that is too late to
// succeed is not sent.
func (r *Recorder) Request(c *http.Client, req *http.Request, due time.Time, patience time.Duration) {
	if time.Since(due) > patience {
		r.Fail("too late to send")
		return
	}
	resp, err := c.Do(req) //nolint:gosec // The benchmark names the URL
	if err != nil {
		r.Fail(IfTimeout(err, "time-out", "connection error"))
		return
	}
	defer resp.Body.Close()
	switch {
	case client.IsCopy(resp):
		r.Succeed(due)
	case resp.StatusCode == http.StatusFound:
		r.Fail("redirect to the source" + reason(resp.Body))
	default:
		r.Fail(resp.Status)
	}
	Drain(resp)
}

// reason returns the front end's reason for a redirect to the source, after a colon.
func reason(body io.Reader) string {
	var redirect struct{ Msg string }
	if json.NewDecoder(body).Decode(&redirect) != nil || redirect.Msg == "" {
		return ""
	}
	return ": " + redirect.Msg
}
