package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"strconv"

	"github.com/cloud-mirror/cloud-mirror/deploy/bench/client"
)

const objectSize = 1 << 10 // bytes

// mirror requests objects of a source at a front end.
type mirror struct {
	frontEnd, source string // URLs
	client           *http.Client
}

func newMirror(frontEnd, source string, clients int) *mirror {
	return &mirror{frontEnd: frontEnd, source: source, client: client.New(&http.Transport{MaxIdleConnsPerHost: clients})}
}

// serveObject serves the same bytes under every path.
func serveObject() http.HandlerFunc {
	body := make([]byte, objectSize)
	_, _ = rand.Read(body)
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.Header().Set("ETag", `"e"`)
		if r.Method == http.MethodGet {
			_, _ = w.Write(body)
		}
	}
}

// request fails unless the front end redirects to a copy.
func (m *mirror) request(ctx context.Context, object int) error {
	target := m.frontEnd + client.Path(fmt.Sprintf("%s/%d/object.bin", m.source, object))
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
		return fmt.Errorf("object %d: %s without a copy", object, resp.Status)
	}
	return nil
}
