package e2e

import (
	"errors"
	"fmt"
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

// observed is a front end behind a proxy. Its private bucket is behind another proxy. The proxies
// record what clients request.
type observed struct {
	*process
	front, bucket *httptest.Server

	mu            sync.Mutex
	seen          []exchange
	interruptions map[string]*interruption // By hashOf the object
}

// exchange is a client's request, and the answer to it.
type exchange struct {
	uri         string
	text        string // Such as "redirect GET 302" or "bucket GET bytes=100-199 206"
	cacheStatus string // Of a redirect
}

// interruption ends the answer to the first GET of a copy early.
type interruption struct {
	*point
	after   int           // Bytes that the client gets
	release chan struct{} // The connection ends when it is closed
	uri     string        // Presigned. Read it after the point is reached.
}

// startObserved starts a front end for the stack's bucket in us-west-2.
func startObserved(t *testing.T, variables ...string) *observed {
	t.Helper()
	return startObservedMirror(t, nil, variables...)
}

// startObservedMirror starts such a front end with these upstreams.
func startObservedMirror(t *testing.T, upstreams []settingsTree, variables ...string) *observed {
	t.Helper()
	o := &observed{interruptions: map[string]*interruption{}}
	bucket, err := url.Parse(sys.S3Endpoint(west))
	require.NoError(t, err)
	o.bucket = o.proxy(t, bucket, "bucket")
	config := editedConfig(t, func(c settingsTree) {
		c.setEndpoint(t, west, o.bucket.URL)
		c["mirror"] = settingsTree{"upstreams": upstreams, "min_size": 0}
	})
	o.process = startProcess(t, "observed-frontend", sys.Binary(), strings.Fields("frontend --config "+config), variables...)
	o.front = o.proxy(t, &url.URL{Scheme: "http", Host: o.listen}, "redirect")
	return o
}

// proxy forwards to a server, and records the exchanges of clients. The front end's own requests to
// the bucket have no signature in the query.
func (o *observed) proxy(t *testing.T, to *url.URL, name string) *httptest.Server {
	t.Helper()
	reverse := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host // The signature covers it
		},
		ModifyResponse: func(resp *http.Response) error {
			r := resp.Request
			if name == "bucket" && !r.URL.Query().Has("X-Amz-Signature") {
				return nil
			}
			words := append([]string{name, r.Method}, r.Header["Range"]...)
			o.mu.Lock()
			defer o.mu.Unlock()
			o.seen = append(o.seen, exchange{
				uri: r.URL.RequestURI(), text: strings.Join(append(words, fmt.Sprint(resp.StatusCode)), " "),
				cacheStatus: resp.Header.Get("Cache-Status"),
			})
			return nil
		},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c := o.interruptionOf(r); c != nil && name == "bucket" {
			w = &interruptedWriter{ResponseWriter: w, interruption: c, left: c.after, request: r}
		}
		reverse.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server
}

// url returns the redirect URL of an object.
func (o *observed) url(object string) string {
	return o.front.URL + redirectPath(west, object, "")
}

// mirrorURL returns the URL of an upstream's root on the mirror route.
func (o *observed) mirrorURL(upstream string) string {
	return o.front.URL + "/v1/mirror/s3/" + west + "/" + upstream
}

// take returns the exchanges about an object since the last call, in order.
func (o *observed) take(object string) (texts, cacheStatuses []string) {
	return o.takeURIs(url.QueryEscape(object), hashOf(object))
}

// takeURIs returns the exchanges since the last call whose URIs contain one of these texts.
func (o *observed) takeURIs(parts ...string) (texts, cacheStatuses []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var others []exchange
	for _, e := range o.seen {
		if !slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(e.uri, part) }) {
			others = append(others, e)
			continue
		}
		texts = append(texts, e.text)
		if e.cacheStatus != "" {
			cacheStatuses = append(cacheStatuses, e.cacheStatus)
		}
	}
	o.seen = others
	return texts, cacheStatuses
}

// interrupt ends the next GET of an object's copy after some bytes.
func (o *observed) interrupt(object string, after int) *interruption {
	c := &interruption{point: newPoint(false), after: after, release: make(chan struct{})}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.interruptions[hashOf(object)] = c
	return c
}

func (o *observed) interruptionOf(r *http.Request) *interruption {
	if r.Method != http.MethodGet {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for hash, c := range o.interruptions {
		if strings.Contains(r.RequestURI, hash) {
			delete(o.interruptions, hash)
			return c
		}
	}
	return nil
}

// interruptedWriter sends the first bytes of a body. Then it waits for the release, and fails.
type interruptedWriter struct {
	http.ResponseWriter
	interruption *interruption
	left         int
	request      *http.Request
}

func (w *interruptedWriter) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p[:min(len(p), w.left)])
	w.left -= n
	if err != nil || w.left > 0 {
		return n, err
	}
	if err := http.NewResponseController(w.ResponseWriter).Flush(); err != nil {
		return n, err
	}
	w.interruption.uri = w.request.RequestURI
	w.interruption.reach()
	select {
	case <-w.interruption.release:
	case <-w.request.Context().Done():
	}
	return n, errors.New("interrupted")
}

// expired reports whether the server refuses the URL whose answer was interrupted.
func (c *interruption) expired(t *testing.T, host string) bool {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, sys.S3Endpoint(west)+c.uri, nil)
	require.NoError(t, err)
	req.Host = host
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	resp.Body.Close()
	return resp.StatusCode == http.StatusForbidden
}
