package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/deploy/bench/client"
	"github.com/cloud-mirror/cloud-mirror/deploy/bench/process"
	"github.com/cloud-mirror/cloud-mirror/deploy/config"
	"github.com/cloud-mirror/cloud-mirror/storage"
)

// source is the URL of the i-th object, of 100 bytes.
func source(i int) string {
	const prefix, suffix = upstream + "/builds/", "/public/build/target.tar.gz"
	return prefix + fmt.Sprintf("%0*d", 100-len(prefix)-len(suffix), i) + suffix
}

// target is the path of its redirect.
func target(i int) string { return client.Path(source(i)) }

// put writes the entry of a copy of the i-th object, by the product's default rules.
func (f *fixture) put(ctx context.Context, i int) error {
	cfg, now := config.Default(), time.Now()
	o := storage.Object{Service: "s3", Region: client.Region, URL: source(i)}
	return f.cache.Put(ctx, f.space().Key(o.Hash()), 0, cfg.Rules().Present(now, cache.Copy{Expires: now.Add(30 * 24 * time.Hour)}))
}

// space is the key space of the bucket in the front end's configuration.
func (f *fixture) space() cache.Space {
	return cache.NewSpace(cache.DefaultPrefix, storage.PoolID("s3", client.Region), f.stubs.URL, bucket)
}

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
