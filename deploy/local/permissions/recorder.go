package permissions

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// Recorder records the calls of one role. It is safe for concurrent use.
type Recorder struct {
	// Refuse reports whether a call gets 503 instead of being forwarded. Nil refuses none.
	Refuse func(call Call, r *http.Request) bool

	mu         sync.Mutex
	operations map[string]bool
	needs      map[Access]bool
	unknown    []error
}

// Proxy returns a handler that records the requests to the server of a URL, and forwards them. The
// server is SQS if the requests have a target, and S3 otherwise.
func (c *Recorder) Proxy(to *url.URL) http.Handler {
	forward := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host // The signature covers it
		},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		call, err := callOf(r)
		c.note(call, err)
		if err == nil && c.Refuse != nil && c.Refuse(call, r) {
			http.Error(w, "refused by the test", http.StatusServiceUnavailable)
			return
		}
		forward.ServeHTTP(w, r)
	})
}

// callOf returns the call of a request, and leaves its body readable. A GET without a signature is
// one of the public, and needs nothing.
func callOf(r *http.Request) (Call, error) {
	target := r.Header.Get("X-Amz-Target")
	if target == "" {
		if r.Header.Get("Authorization") == "" && !r.URL.Query().Has("X-Amz-Signature") {
			return Call{}, nil
		}
		return s3Call(r)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return Call{}, fmt.Errorf("call %s of SQS: %w", target, err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return sqsCall(target, body)
}

func (c *Recorder) note(call Call, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.unknown = append(c.unknown, err)
		return
	}
	if c.operations == nil {
		c.operations, c.needs = map[string]bool{}, map[Access]bool{}
	}
	if call.Operation != "" {
		c.operations[call.Operation] = true
	}
	for _, need := range call.Needs {
		c.needs[need] = true
	}
}

// Operations returns the recorded operations, sorted.
func (c *Recorder) Operations() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Sorted(maps.Keys(c.operations))
}

// Recorded reports whether an operation was recorded.
func (c *Recorder) Recorded(operation string) bool { return slices.Contains(c.Operations(), operation) }

// Needs returns what a policy must allow, sorted, as ACTION RESOURCE. The names replace those of
// buckets and queues. It also returns the requests that are no known calls.
func (c *Recorder) Needs(as map[string]string) (needs []string, unknown []error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	found := map[string]bool{}
	for need := range c.needs {
		name, objects := strings.CutSuffix(need.Resource, "/*")
		if other, ok := as[name]; ok {
			name = other
		}
		if objects {
			name += "/*"
		}
		found[need.Action+" "+name] = true
	}
	return slices.Sorted(maps.Keys(found)), slices.Clone(c.unknown)
}
