package operate

import (
	"context"
	"errors"
	"fmt"
	"os"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/deploy/config"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/worker"
	"github.com/cloud-mirror/cloud-mirror/worker/codec"
)

// configFlag is the flag of the commands that read the configuration.
type configFlag struct {
	Config string `short:"c" env:"CLOUD_MIRROR_CONFIG" type:"path" placeholder:"FILE" help:"Configuration file (YAML); CLOUD_MIRROR_* variables override it. TEMPORAL_* variables name the Temporal server."`
}

// mirror is a connection to the parts that hold copies.
type mirror struct {
	cfg       config.Config
	temporal  client.Client
	namespace string
	codec     *codec.Codec
	payloads  converter.DataConverter // Of codec
	cache     entries
}

// entries holds the entries of objects, and what is switched off; see [cache.Redis].
type entries interface {
	// Get returns the object's entry. An object without one is absent.
	Get(ctx context.Context, key string) (cache.Entry, error)
	// Purge deletes the object's entry and returns its new generation.
	Purge(ctx context.Context, key string) (int64, error)
	// Bypasses returns the list of bypasses.
	Bypasses(ctx context.Context) (cache.BypassList, error)
	Close() error
}

// connect connects to Temporal. It does no I/O with redis.
func (c *configFlag) connect(ctx context.Context) (*mirror, error) {
	cfg, err := config.Load(c.Config, os.Environ())
	if err != nil {
		return nil, err
	}
	log := cfg.Logger(os.Stderr)
	payloads, err := codec.New(cfg.Worker.PayloadKeys, func(err error) {
		log.Error().Err(err).Msg("payload not decrypted: see worker.payload_keys")
	})
	if err != nil {
		return nil, fmt.Errorf("worker.payload_keys: %w", err)
	}
	m := &mirror{cfg: cfg, codec: payloads, payloads: payloads.DataConverter()}
	if m.temporal, m.namespace, err = worker.Dial(ctx, payloads, nil, log); err != nil {
		return nil, err
	}
	if m.cache, err = cache.Open(cfg.Redis.URL, cfg.CacheOptions()); err != nil {
		m.temporal.Close()
		return nil, fmt.Errorf("redis.url: %w", err)
	}
	return m, nil
}

func (m *mirror) close() error {
	m.temporal.Close()
	return m.cache.Close()
}

// with connects and calls f.
func (c *configFlag) with(ctx context.Context, f func(*mirror) error) error {
	m, err := c.connect(ctx)
	if err != nil {
		return err
	}
	return errors.Join(f(m), m.close())
}

// pool returns a configured pool.
func (m *mirror) pool(service, region string) (storage.Pool, error) {
	id := storage.PoolID(service, region)
	for _, p := range m.cfg.StoragePools() {
		if p.ID() == id {
			return p, nil
		}
	}
	return storage.Pool{}, fmt.Errorf("no pool %s is configured", id)
}
