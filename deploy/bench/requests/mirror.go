package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
)

const objectSize = 1 << 10 // bytes

// mirror requests objects of a source at a front end.
type mirror struct {
	frontEnd, source string // URLs
	client           *http.Client
}

func newMirror(frontEnd, source string, clients int) *mirror {
	return &mirror{frontEnd: frontEnd, source: source, client: &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: clients},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
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
	target := m.frontEnd + "/v1/redirect/s3/us-west-2/" + url.QueryEscape(fmt.Sprintf("%s/%d/object.bin", m.source, object))
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return err
	}
	resp, err := m.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if u, err := resp.Location(); err != nil || u.Query().Get("X-Amz-Signature") == "" {
		return fmt.Errorf("object %d: %s without a copy", object, resp.Status)
	}
	return nil
}
