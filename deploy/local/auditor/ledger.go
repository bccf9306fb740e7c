package auditor

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A Ledger records every GET that a source serves. It is safe for concurrent use.
type Ledger struct {
	// Host is the host in the URLs of the objects. If it is empty, it is that of the request.
	Host string
	// Agent is the User-Agent of the product. A GET of another client does not count as a fetch. If
	// it is empty, every GET counts.
	Agent string

	mu       sync.Mutex
	sources  map[string]*Source
	versions map[string]*version // By hash and ETag
	requests map[string]int      // By method
}

// version collects the bytes of one version of an object, until it has them all.
type version struct {
	size int64
	body []byte
	have []span
	done bool
}

// span is a range of bytes that was served.
type span struct{ from, to int64 }

// Wrap records the responses of a handler.
func (l *Ledger) Wrap(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := l.Host
		if host == "" {
			host = r.Host
		}
		t := &tap{ResponseWriter: w, ledger: l, url: "http://" + host + r.URL.RequestURI(), served: Served{From: time.Now()}}
		t.foreign = l.Agent != "" && r.UserAgent() != l.Agent
		l.count(r.Method)
		if r.Method != http.MethodGet {
			h.ServeHTTP(w, r)
			return
		}
		t.sum = sha256.New()
		defer t.end() // A handler may panic to cut the response
		h.ServeHTTP(t, r)
		t.returned = true
	})
}

func (l *Ledger) count(method string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.requests == nil {
		l.requests = map[string]int{}
	}
	l.requests[method]++
}

// Requests returns the number of requests with a method.
func (l *Ledger) Requests(method string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.requests[method]
}

// Sources returns the ledger's records of each object, by the hash of its URL.
func (l *Ledger) Sources() map[string]*Source {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := map[string]*Source{}
	for hash, s := range l.sources {
		c := *s
		c.Whole = map[string]bool{}
		for digest := range s.Whole {
			c.Whole[digest] = true
		}
		c.GETs = append([]Served(nil), s.GETs...)
		all[hash] = &c
	}
	return all
}

// tap is the response to one GET.
type tap struct {
	http.ResponseWriter
	ledger   *Ledger
	url      string
	served   Served
	total    int64 // Size of the object, -1 if unknown
	length   int64 // Of the body, -1 if unknown
	sum      hash.Hash
	version  *version
	failed   bool
	foreign  bool // The client is not the product
	returned bool
}

// Unwrap lets handlers flush and hijack. The bytes of a hijacked connection are not recorded.
func (t *tap) Unwrap() http.ResponseWriter { return t.ResponseWriter }

// Flush serves handlers that assert a Flusher.
func (t *tap) Flush() { _ = http.NewResponseController(t.ResponseWriter).Flush() }

func (t *tap) WriteHeader(status int) {
	if t.served.Status == 0 && status >= 200 {
		t.begin(status)
	}
	t.ResponseWriter.WriteHeader(status)
}

// begin reads the header of the response.
func (t *tap) begin(status int) {
	h := t.Header()
	t.served.Status, t.total, t.length = status, -1, -1
	if n, err := strconv.ParseInt(h.Get("Content-Length"), 10, 64); err == nil {
		t.length = n
	}
	switch status {
	case http.StatusOK:
		t.total = t.length
	case http.StatusPartialContent:
		var last int64
		if _, err := fmt.Sscanf(h.Get("Content-Range"), "bytes %d-%d/%d", &t.served.First, &last, &t.total); err != nil {
			return
		}
	default:
		return
	}
	if etag := h.Get("Etag"); etag != "" && !strings.HasPrefix(etag, "W/") && t.total >= 0 {
		t.version = t.ledger.version(HashOf(t.url)+etag, t.total)
	}
}

func (t *tap) Write(p []byte) (int, error) {
	if t.served.Status == 0 {
		t.begin(http.StatusOK)
	}
	n, err := t.ResponseWriter.Write(p)
	t.sum.Write(p[:n])
	t.ledger.add(t.version, t.served.First+t.served.Bytes, p[:n])
	t.served.Bytes += int64(n)
	t.failed = t.failed || err != nil
	return n, err
}

// end records the response.
func (t *tap) end() {
	if t.served.Status == 0 && t.returned {
		t.begin(http.StatusOK) // An empty body
		t.length = 0
		if n, err := strconv.ParseInt(t.Header().Get("Content-Length"), 10, 64); err == nil {
			t.length = n
		}
	}
	if t.served.Status != http.StatusOK && t.served.Status != http.StatusPartialContent {
		return
	}
	t.served.To = time.Now()
	t.served.Cut = t.failed || !t.returned || t.length >= 0 && t.served.Bytes < t.length
	l := t.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.source(t.url)
	if !t.foreign {
		s.GETs = append(s.GETs, t.served)
	}
	s.Size = max(s.Size, t.total, t.served.First+t.served.Bytes)
	if t.served.Status == http.StatusOK && !t.served.Cut {
		s.Whole[hex.EncodeToString(t.sum.Sum(nil))] = true
	}
	if v := t.version; v != nil && !v.done && v.whole() {
		sum := sha256.Sum256(v.body)
		s.Whole[hex.EncodeToString(sum[:])] = true
		v.done, v.body, v.have = true, nil, nil
	}
}

// source returns the record of an object. The caller holds l.mu.
func (l *Ledger) source(url string) *Source {
	if l.sources == nil {
		l.sources = map[string]*Source{}
	}
	s := l.sources[HashOf(url)]
	if s == nil {
		s = &Source{URL: url, Whole: map[string]bool{}}
		l.sources[HashOf(url)] = s
	}
	return s
}

func (l *Ledger) version(key string, size int64) *version {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.versions == nil {
		l.versions = map[string]*version{}
	}
	v := l.versions[key]
	if v == nil {
		v = &version{size: size}
		l.versions[key] = v
	}
	return v
}

// add stores served bytes of a version.
func (l *Ledger) add(v *version, at int64, p []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if v == nil || v.done || at+int64(len(p)) > v.size {
		return
	}
	if v.body == nil {
		v.body = make([]byte, v.size)
	}
	copy(v.body[at:], p)
	if n := len(v.have); n > 0 && v.have[n-1].to == at {
		v.have[n-1].to += int64(len(p))
	} else {
		v.have = append(v.have, span{at, at + int64(len(p))})
	}
}

// whole reports whether the spans cover the version.
func (v *version) whole() bool {
	at := int64(0)
	for grew := true; grew && at < v.size; {
		grew = false
		for _, s := range v.have {
			if s.from <= at && s.to > at {
				at, grew = s.to, true
			}
		}
	}
	return at >= v.size
}
