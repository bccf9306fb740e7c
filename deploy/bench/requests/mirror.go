package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"sync/atomic"

	"github.com/cloud-mirror/cloud-mirror/deploy/bench/client"
)

const objectSize = 1 << 10 // Bytes

// maxWait is long enough for a burst on a busy machine.
const maxWait = "2m"

// mirror requests objects of sources at a front end.
type mirror struct {
	frontEnd string // URL
	client   *http.Client
}

func newMirror(frontEnd string, clients int) *mirror {
	return &mirror{frontEnd: frontEnd, client: client.New(&http.Transport{MaxIdleConnsPerHost: clients})}
}

// source is a host with objects. It serves the same bytes under every path.
type source struct {
	*httptest.Server
	objects atomic.Int64 // Requested so far
	reads   atomic.Int64 // GETs
}

func newSource() *source {
	body := make([]byte, objectSize)
	_, _ = rand.Read(body)
	s := &source{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.Header().Set("ETag", `"e"`)
		if r.Method == http.MethodGet {
			s.reads.Add(1)
			_, _ = w.Write(body)
		}
	}))
	return s
}

// first returns a call that requests a new object of the source each time. It takes the regions in
// turns.
func (m *mirror) first(s *source, regions ...string) call {
	return func(ctx context.Context) error {
		object := s.objects.Add(1)
		return m.request(ctx, s, regions[int(object)%len(regions)], object)
	}
}

// request fails unless the front end redirects to a copy.
func (m *mirror) request(ctx context.Context, s *source, region string, object int64) error {
	target := m.frontEnd + "/v1/redirect/s3/" + region + "/" + url.QueryEscape(fmt.Sprintf("%s/%d/object.bin", s.URL, object)) + "?max_wait=" + maxWait
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return err
	}
	resp, err := m.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if !client.IsCopy(resp) {
		return fmt.Errorf("object %d in %s: %s without a copy", object, region, resp.Status)
	}
	return nil
}
