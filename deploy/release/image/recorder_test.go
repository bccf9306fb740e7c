package image_test

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// recorder keeps the name of each call to a server: the method of S3, the action of SQS, or the
// procedure of Temporal.
type recorder struct {
	at string // Where the recorder listens: a URL, or for Temporal an address

	mu    sync.Mutex
	calls []string
}

// record starts a recorder in front of S3 or SQS.
func record(t *testing.T, upstream string) *recorder {
	t.Helper()
	to, err := url.Parse(upstream)
	require.NoError(t, err)
	r := &recorder{}
	forward := &httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) {
		p.SetURL(to)
		p.Out.Host = p.In.Host // It is signed.
	}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, in *http.Request) {
		call := in.Method
		if action := in.Header.Get("X-Amz-Target"); action != "" {
			_, call, _ = strings.Cut(action, ".")
		}
		r.add(call)
		forward.ServeHTTP(w, in)
	}))
	t.Cleanup(server.Close)
	r.at = server.URL
	return r
}

func (r *recorder) add(call string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, call)
}

// take returns the different calls since the last take, in order of their names.
func (r *recorder) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	calls := r.calls
	r.calls = nil
	slices.Sort(calls)
	return slices.Compact(calls)
}
