package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	objectCount = 300
	kib, mib    = 1 << 10, 1 << 20
	// secret is in the query of every signed URL.
	secret = "chaos-hunter2-signature"
	// bodyMarker is at the start of every block of every object that has room for it.
	bodyMarker = "chaos-hunter2-body"
)

// object is an object of the source. It changes only with a purge.
type object struct {
	path   string
	signed bool // Its URL has a query, which is a secret. Otherwise the mirror route leads to it.
	seed   uint64
	size   int64

	mu      sync.Mutex
	version int
	digests []string // By version
}

// newObjects returns the objects of a seed, the most popular first.
func newObjects(seed uint64) []*object {
	r := rand.New(rand.NewPCG(seed, 2))
	all := make([]*object, objectCount)
	for i := range all {
		o := &object{signed: r.IntN(4) > 0, seed: r.Uint64()}
		switch n := r.IntN(100); {
		case n < 3:
			o.size = 0
		case n < 50:
			o.size = 16 + r.Int64N(64*kib) // Versions of a shorter object could be equal
		case n < 90:
			o.size = 64*kib + r.Int64N(mib)
		case n < 96:
			o.size = mib + r.Int64N(7*mib)
		default:
			o.size = 9*mib + r.Int64N(24*mib)
		}
		o.path = fmt.Sprintf("/files/%d/object-%d.bin", i%20, i)
		all[i] = o
	}
	return all
}

// requestURI is the path with the query.
func (o *object) requestURI() string {
	if !o.signed {
		return o.path
	}
	return o.path + "?X-Amz-Signature=" + secret
}

// current returns the version and its digest.
func (o *object) current() (version int, digest string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for len(o.digests) <= o.version {
		sum := sha256.New()
		_, _ = io.Copy(sum, o.content(len(o.digests)))
		o.digests = append(o.digests, hex.EncodeToString(sum.Sum(nil)))
	}
	return o.version, o.digests[o.version]
}

// change replaces the bytes, and returns the digest of those before. An empty object has none to
// replace.
func (o *object) change() (old string) {
	if o.size == 0 {
		return ""
	}
	_, old = o.current()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.version++
	return old
}

// content returns the bytes of a version.
func (o *object) content(version int) io.ReadSeeker { return &content{object: o, version: version} }

// block is the unit in which content is computed.
const block = 32 * kib

// content computes an object's bytes while it is read.
type content struct {
	object  *object
	version int
	at      int64
}

func (c *content) Read(p []byte) (int, error) {
	if c.at >= c.object.size {
		return 0, io.EOF
	}
	var seed [32]byte
	copy(seed[:], fmt.Sprintf("%016x%08x", c.object.seed, c.version))
	number := c.at / block
	for i := range 8 {
		seed[24+i] = byte(number >> (8 * i))
	}
	var data [block]byte
	_, _ = rand.NewChaCha8(seed).Read(data[:])
	if c.object.size >= 2*int64(len(bodyMarker)) { // The rest tells versions apart
		copy(data[:], bodyMarker)
	}
	n := copy(p, data[c.at%block:min(block, c.object.size-number*block)])
	c.at += int64(n)
	return n, nil
}

func (c *content) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += c.at
	case io.SeekEnd:
		offset += c.object.size
	}
	c.at = offset
	return offset, nil
}

// origin serves the objects. The path below /away/ redirects to the canary.
type origin struct {
	objects map[string]*object // By path
	canary  string
	bodies  *atomic.Int64 // Responses with the marker
}

func newOrigin(objects []*object, canary string, bodies *atomic.Int64) *origin {
	o := &origin{objects: map[string]*object{}, canary: canary, bodies: bodies}
	for _, one := range objects {
		o.objects[one.path] = one
	}
	return o
}

func (o *origin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/away/") {
		w.Header().Set("Location", "http://"+o.canary+"/canary.bin")
		w.WriteHeader(http.StatusFound)
		return
	}
	one := o.objects[r.URL.Path]
	if one == nil || one.signed && r.URL.Query().Get("X-Amz-Signature") != secret {
		http.NotFound(w, r)
		return
	}
	if one.size >= 2*int64(len(bodyMarker)) && r.Method == http.MethodGet {
		o.bodies.Add(1)
	}
	version, _ := one.current()
	w.Header().Set("Etag", strconv.Quote(fmt.Sprintf("%x-%d", one.seed, version)))
	w.Header().Set("Content-Type", "application/x-chaos")
	http.ServeContent(w, r, "", time.Time{}, one.content(version))
}
