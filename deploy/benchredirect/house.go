package main

import (
	"context"
	"crypto/md5" //nolint:gosec // SQS has it in its replies
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/redis/go-redis/v9"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/storage"
)

const region = "us-west-2"

// house is what is measured, and around it.
type house struct {
	settings
	dir       string
	redisAddr string
	redis     *redis.Client
	cache     *cache.Redis
	stubs     *httptest.Server
	processes []*process
}

func newHouse(ctx context.Context, s settings) (*house, error) {
	dir, err := os.MkdirTemp("", "cloud-mirror-bench-")
	if err != nil {
		return nil, err
	}
	h := &house{settings: s, dir: dir, stubs: httptest.NewServer(http.HandlerFunc(stub))}
	if h.redisAddr, err = freeAddress(); err != nil {
		return nil, errors.Join(err, h.close())
	}
	_, port, _ := net.SplitHostPort(h.redisAddr)
	if _, err = h.start(ctx, nil, h.redisAddr, "redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
		"--dir", dir, "--loglevel", "warning"); err != nil {
		return nil, errors.Join(err, h.close())
	}
	h.redis = redis.NewClient(&redis.Options{Addr: h.redisAddr})
	if h.cache, err = cache.Open("redis://"+h.redisAddr, cache.Options{Undecodable: func() {}}); err != nil {
		return nil, errors.Join(err, h.close())
	}
	return h, nil
}

func (h *house) close() error {
	for _, p := range h.processes {
		p.stop()
	}
	h.stubs.Close()
	return os.RemoveAll(h.dir)
}

// stub is S3 without a single object, and SQS that takes everything.
func stub(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodHead {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	var in struct{ MessageBody string }
	_ = json.NewDecoder(r.Body).Decode(&in)
	sum := md5.Sum([]byte(in.MessageBody)) //nolint:gosec // see above
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	_ = json.NewEncoder(w).Encode(map[string]string{
		"QueueUrl": "http://" + r.Host + "/queue", "MessageId": "1", "MD5OfMessageBody": hex.EncodeToString(sum[:]),
	})
}

// Queries of redis's URL: with the second protocol it can't announce changes, and is read for every redirect.
const (
	announcing = ""
	silent     = "?protocol=2"
)

// frontEnd starts a front end that keeps so many redirects in memory.
func (h *house) frontEnd(ctx context.Context, redisQuery string, inMemory int, memory string) (*process, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	type m = map[string]any
	text, err := yaml.Marshal(m{
		"log":      m{"level": "error"},
		"frontend": m{"listen": address, "admin_listen": "127.0.0.1:0", "cache_entries": inMemory, "cache_memory": memory},
		"source":   m{"allowed_patterns": []string{`https://artifacts\.example\.com/`}},
		"redis":    m{"url": "redis://" + h.redisAddr + redisQuery},
		"sqs":      m{"region": region, "endpoint": h.stubs.URL},
		"pools":    []m{{"region": region, "bucket": "bench", "endpoint": h.stubs.URL, "path_style": true}},
	})
	if err != nil {
		return nil, err
	}
	file := filepath.Join(h.dir, strings.ReplaceAll(address, ":", "-")+".yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return nil, err
	}
	env := []string{"AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY=bench", "AWS_EC2_METADATA_DISABLED=true"}
	return h.start(ctx, env, address, h.binary, "frontend", "--config", file)
}

// process is a server that answers at address.
type process struct {
	cmd     *exec.Cmd
	address string
}

func (h *house) start(ctx context.Context, env []string, address, program string, args ...string) (*process, error) {
	p := &process{exec.CommandContext(ctx, program, args...), address} //nolint:gosec // programs of this benchmark's own
	p.cmd.Env, p.cmd.Stderr = append(os.Environ(), env...), os.Stderr
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	h.processes = append(h.processes, p)
	for deadline := time.Now().Add(20 * time.Second); ; {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err == nil {
			return p, conn.Close()
		}
		if ctx.Err() != nil || time.Now().After(deadline) {
			return nil, fmt.Errorf("%s does not start", filepath.Base(program))
		}
		<-time.After(10 * time.Millisecond)
	}
}

func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	_ = p.cmd.Wait()
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // at once
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// source is a URL of 100 bytes.
func source(i int) string {
	const prefix, suffix = "https://artifacts.example.com/builds/", "/public/build/target.tar.gz"
	return prefix + fmt.Sprintf("%0*d", 100-len(prefix)-len(suffix), i) + suffix
}

func target(i int) string { return "/v1/redirect/s3/" + region + "/" + url.QueryEscape(source(i)) }

func key(i int) string {
	o := storage.Object{Service: "s3", Region: region, URL: source(i)}
	return cache.Key(o.PoolID(), o.Hash())
}

// rules are the product's defaults, as far as they count here.
func present() cache.Entry {
	now := time.Now()
	return cache.Rules{TTL: 24 * time.Hour, ExpiryMargin: 3 * time.Hour}.Present(now, now.Add(30*24*time.Hour))
}
