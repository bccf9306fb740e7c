package main

import (
	"context"
	"crypto/md5" //nolint:gosec // SQS has it in its replies
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/redis/go-redis/v9"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/deploy/bench/client"
	"github.com/cloud-mirror/cloud-mirror/deploy/bench/process"
	"github.com/cloud-mirror/cloud-mirror/storage/seal"
)

// bucket is the bucket of the only pool.
const bucket = "bench"

// fixture is redis and the stubs of S3 and SQS. It starts front ends that use them.
type fixture struct {
	settings
	dir         string
	redisServer *process.Server
	redis       *redis.Client
	cache       *cache.Redis
	stubs       *httptest.Server
}

func newFixture(ctx context.Context, s settings) (*fixture, error) {
	dir, err := os.MkdirTemp("", "cloud-mirror-bench-")
	if err != nil {
		return nil, err
	}
	f := &fixture{settings: s, dir: dir, stubs: httptest.NewServer(http.HandlerFunc(stub))}
	if err := f.openRedis(ctx); err != nil {
		return nil, errors.Join(err, f.close())
	}
	return f, nil
}

func (f *fixture) openRedis(ctx context.Context) error {
	address, err := process.FreeAddress()
	if err != nil {
		return err
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	f.redisServer, err = process.Start(ctx, process.Program{Path: "redis-server", Args: []string{
		"--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", f.dir, "--loglevel", "warning",
	}}, address)
	if err != nil {
		return err
	}
	f.redis = redis.NewClient(&redis.Options{Addr: address})
	f.cache, err = cache.Open("redis://"+address, cache.Options{Undecodable: func() {}})
	return err
}

func (f *fixture) close() error {
	if f.redisServer != nil {
		f.redisServer.Stop()
	}
	f.stubs.Close()
	return os.RemoveAll(f.dir)
}

// stub is S3 without objects, and SQS that accepts every message.
func stub(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodHead {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	var in struct{ MessageBody string }
	_ = json.NewDecoder(r.Body).Decode(&in)
	sum := md5.Sum([]byte(in.MessageBody)) //nolint:gosec // SQS has it in its replies
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	_ = json.NewEncoder(w).Encode(map[string]string{
		"QueueUrl": "http://" + r.Host + "/queue", "MessageId": "1", "MD5OfMessageBody": hex.EncodeToString(sum[:]),
	})
}

// The query of redis's URL selects the protocol. With protocol 2 redis can't invalidate the
// entries in a front end's memory. The front end then reads redis for every request.
const (
	fromMemory = ""
	fromRedis  = "?protocol=2"
)

// The product's defaults of frontend.cache_entries and frontend.cache_memory.
const (
	defaultEntries = 100_000
	defaultMemory  = "256MiB"
)

// frontEnd starts a front end that keeps at most so many entries in so much memory.
func (f *fixture) frontEnd(ctx context.Context, redisQuery string, entries int, memory string) (*process.Server, error) {
	address, err := process.FreeAddress()
	if err != nil {
		return nil, err
	}
	type m = map[string]any
	text, err := yaml.Marshal(m{
		"log":      m{"level": "error"},
		"frontend": m{"listen": address, "admin_listen": "127.0.0.1:0", "cache_entries": entries, "cache_memory": memory},
		"source": m{
			"allowed":    []string{upstream + "/"},
			"query_keys": []string{base64.StdEncoding.EncodeToString(make([]byte, seal.KeySize))},
		},
		"mirror": m{"upstreams": []m{{"url": upstream, "copy": []string{"^/builds/"}}}},
		"redis":  m{"url": "redis://" + f.redisServer.Address + redisQuery},
		"sqs":    m{"region": client.Region, "endpoint": f.stubs.URL},
		"pools":  []m{{"region": client.Region, "bucket": bucket, "endpoint": f.stubs.URL, "path_style": true}},
	})
	if err != nil {
		return nil, err
	}
	file := filepath.Join(f.dir, strings.ReplaceAll(address, ":", "-")+".yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return nil, err
	}
	return process.Start(ctx, process.Program{
		Path: f.binary, Args: []string{"frontend", "--config", file},
		Env: append(os.Environ(), "AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY=bench", "AWS_EC2_METADATA_DISABLED=true"),
	}, address)
}
