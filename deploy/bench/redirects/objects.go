package main

import (
	"context"
	"fmt"
	"net/http"

	"github.com/cloud-mirror/cloud-mirror/deploy/bench/client"
	"github.com/cloud-mirror/cloud-mirror/deploy/bench/process"
	"github.com/cloud-mirror/cloud-mirror/deploy/bench/rig"
)

// target is the path of the redirect of the i-th object.
func target(i int) string { return client.Path(rig.Source(i)) }

// newClient can keep an idle connection for each of many waiting clients.
func newClient() *http.Client {
	return client.New(&http.Transport{MaxIdleConnsPerHost: 2000, DisableCompression: true})
}

// send requests a path.
func send(ctx context.Context, c *http.Client, s *process.Server, path string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.Address+path, nil)
	if err != nil {
		return nil, err
	}
	return c.Do(req)
}

// get requests the i-th object. It fails unless the front end redirects to a copy.
func get(ctx context.Context, c *http.Client, s *process.Server, i int) (*http.Response, error) {
	resp, err := send(ctx, c, s, target(i))
	if err != nil {
		return nil, err
	}
	if !client.IsCopy(resp) {
		_ = resp.Body.Close()
		return nil, fmt.Errorf("object %d: %s without a copy", i, resp.Status)
	}
	return resp, nil
}
