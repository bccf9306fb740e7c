package storagetest

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"
)

// Proxy is a proxy before a real S3 server. It forwards everything, except as its hooks say. A
// caller must not change a field while requests are in flight.
type Proxy struct {
	// URL is the proxy's base URL.
	URL string
	// Request may change a request. If it returns false, the server never sees the request and the
	// client gets no reply.
	Request func(r *http.Request) (forward bool)
	// Reply may answer instead of the server. If it returns true, the server never sees the
	// request.
	Reply func(w http.ResponseWriter, r *http.Request) bool
	// Response may change the server's reply. An error drops the reply.
	Response func(*http.Response) error

	largest atomic.Int64
}

// Largest returns the size of the largest body of a request or a reply so far, in bytes.
func (p *Proxy) Largest() int64 { return p.largest.Load() }

// counted is a body whose bytes are counted.
type counted struct {
	io.ReadCloser
	size    int64
	largest *atomic.Int64
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.ReadCloser.Read(b)
	c.size += int64(n)
	for {
		most := c.largest.Load()
		if c.size <= most || c.largest.CompareAndSwap(most, c.size) {
			return n, err
		}
	}
}

// NewProxy starts a proxy before the server at target. It stops when the test ends.
func NewProxy(t *testing.T, target string) *Proxy {
	t.Helper()
	p := &Proxy{}
	to, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	reverse := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host // the signature covers it
		},
		ModifyResponse: func(r *http.Response) error {
			r.Body = &counted{ReadCloser: r.Body, largest: &p.largest}
			if p.Response != nil {
				return p.Response(r)
			}
			return nil
		},
		ErrorLog:     log.New(io.Discard, "", 0), // all errors are injected
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = &counted{ReadCloser: r.Body, largest: &p.largest}
		if p.Request != nil && !p.Request(r) {
			panic(http.ErrAbortHandler)
		}
		if p.Reply != nil && p.Reply(w, r) {
			return
		}
		reverse.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	p.URL = server.URL
	return p
}

// The S3 calls that [Call] tells apart.
const (
	CallPut      = "PutObject"
	CallHead     = "HeadObject"
	CallCopy     = "CopyObject"
	CallCreate   = "CreateMultipartUpload"
	CallPart     = "UploadPart"
	CallPartCopy = "UploadPartCopy"
	CallComplete = "CompleteMultipartUpload"
	CallAbort    = "AbortMultipartUpload"
	CallOther    = ""
)

// Call returns the S3 call of a request, [CallOther] for all that have no constant.
func Call(r *http.Request) string {
	q := r.URL.Query()
	copies := r.Header.Get("X-Amz-Copy-Source") != ""
	switch {
	case r.Method == http.MethodHead:
		return CallHead
	case r.Method == http.MethodPost && q.Has("uploads"):
		return CallCreate
	case r.Method == http.MethodPost && q.Has("uploadId"):
		return CallComplete
	case r.Method == http.MethodDelete && q.Has("uploadId"):
		return CallAbort
	case r.Method == http.MethodPut && q.Has("partNumber") && copies:
		return CallPartCopy
	case r.Method == http.MethodPut && q.Has("partNumber"):
		return CallPart
	case r.Method == http.MethodPut && copies:
		return CallCopy
	case r.Method == http.MethodPut:
		return CallPut
	}
	return CallOther
}
