package rig

import (
	"context"
	"fmt"
	"time"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/deploy/bench/client"
	"github.com/cloud-mirror/cloud-mirror/deploy/config"
	"github.com/cloud-mirror/cloud-mirror/storage"
)

// Upstream is the root of all objects. Its paths below /builds/ are copied.
const Upstream = "https://artifacts.example.com"

// Source returns the URL of the i-th object, of 100 bytes.
func Source(i int) string {
	const prefix, suffix = Upstream + "/builds/", "/public/build/target.tar.gz"
	return prefix + fmt.Sprintf("%0*d", 100-len(prefix)-len(suffix), i) + suffix
}

// Put writes the entry of a copy of the i-th object, by the product's default rules.
func (r *Rig) Put(ctx context.Context, i int) error {
	cfg, now := config.Default(), time.Now()
	o := storage.Object{Service: "s3", Region: client.Region, URL: Source(i)}
	return r.Cache.Put(ctx, r.Space().Key(o.Hash()), 0, cfg.Rules().Present(now, cache.Copy{Expires: now.Add(30 * 24 * time.Hour)}))
}

// Space is the key space of the bucket in the front end's configuration.
func (r *Rig) Space() cache.Space {
	return cache.NewSpace(cache.DefaultPrefix, storage.PoolID("s3", client.Region), r.stubs.URL, bucket)
}
