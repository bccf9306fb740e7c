package rig

import (
	"context"
	"crypto/md5" //nolint:gosec // SQS has it in its replies
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
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

// Rig is a redis and the stubs of S3 and SQS. It starts front ends that use them.
type Rig struct {
	// Dir is a folder for files of the benchmark. Close removes it.
	Dir string
	// Server is redis's process, and Redis a client of it. Cache writes entries into it.
	Server *process.Server
	Redis  *redis.Client
	Cache  *cache.Redis

	binary string
	stubs  *httptest.Server
}

// New starts a redis. Front ends run the binary, a cloud-mirror.
func New(ctx context.Context, binary string) (*Rig, error) {
	if err := process.Need("redis-server"); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "cloud-mirror-bench-")
	if err != nil {
		return nil, err
	}
	r := &Rig{Dir: dir, binary: binary, stubs: httptest.NewServer(http.HandlerFunc(stub))}
	if err := r.openRedis(ctx); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

func (r *Rig) openRedis(ctx context.Context) error {
	address, err := process.FreeAddress()
	if err != nil {
		return err
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	r.Server, err = process.Start(ctx, process.Program{Path: "redis-server", Args: []string{
		"--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", r.Dir, "--loglevel", "warning",
	}}, address)
	if err != nil {
		return err
	}
	r.Redis = redis.NewClient(&redis.Options{Addr: address})
	r.Cache, err = cache.Open("redis://"+address, cache.Options{Undecodable: func() {}})
	return err
}

// Close ends redis and removes the folder.
func (r *Rig) Close() error {
	if r.Server != nil {
		r.Server.Stop()
	}
	r.stubs.Close()
	return os.RemoveAll(r.Dir)
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

// FrontEnd are the settings of a front end. The zero value has the product's defaults.
type FrontEnd struct {
	// RedisQuery is the query of redis's URL. With ?protocol=2 redis can't invalidate the entries in
	// a front end's memory. The front end then reads redis for every request.
	RedisQuery string
	// Settings are settings of the section frontend.
	Settings map[string]any
	// Env is added to the environment, as NAME=value.
	Env []string
}

// FrontEnd starts a front end. The benchmark allows all sources below [Upstream].
func (r *Rig) FrontEnd(ctx context.Context, o FrontEnd) (*process.Server, error) {
	address, err := process.FreeAddress()
	if err != nil {
		return nil, err
	}
	type m = map[string]any
	settings := m{"listen": address, "admin_listen": "127.0.0.1:0"}
	maps.Copy(settings, o.Settings)
	text, err := yaml.Marshal(m{
		"log":      m{"level": "error"},
		"frontend": settings,
		"source": m{
			"allowed":    []string{Upstream + "/"},
			"query_keys": []string{base64.StdEncoding.EncodeToString(make([]byte, seal.KeySize))},
		},
		"mirror": m{"upstreams": []m{{"url": Upstream, "copy": []string{"^/builds/"}}}},
		"redis":  m{"url": "redis://" + r.Server.Address + o.RedisQuery},
		"sqs":    m{"region": client.Region, "endpoint": r.stubs.URL},
		"pools":  []m{{"region": client.Region, "bucket": bucket, "endpoint": r.stubs.URL, "path_style": true}},
	})
	if err != nil {
		return nil, err
	}
	file := filepath.Join(r.Dir, strings.ReplaceAll(address, ":", "-")+".yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return nil, err
	}
	return process.Start(ctx, process.Program{
		Path: r.binary, Args: []string{"frontend", "--config", file},
		Env: append(append(os.Environ(),
			"AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY=bench", "AWS_EC2_METADATA_DISABLED=true"), o.Env...),
	}, address)
}
