package storagetest

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"
)

// Proxy is a real S3 server behind a proxy that forwards everything and spoils some of it. A field that is changed while
// requests are under way is the caller's race.
type Proxy struct {
	// URL is the proxy's.
	URL string
	// Request may change what goes to the server; if it returns false the server never sees it, and the client gets no
	// reply.
	Request func(r *http.Request) (forward bool)
	// Response may change what comes back; an error drops the reply.
	Response func(*http.Response) error
}

// NewProxy returns one of the server at target.
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
			r.Out.Host = r.In.Host // which is signed
		},
		ModifyResponse: func(r *http.Response) error {
			if p.Response != nil {
				return p.Response(r)
			}
			return nil
		},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p.Request != nil && !p.Request(r) {
			panic(http.ErrAbortHandler)
		}
		reverse.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	p.URL = server.URL
	return p
}

// Calls that a test may want to tell apart.
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

// Call tells which call of S3 a request is.
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
