package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/stack"
	"github.com/cloud-mirror/cloud-mirror/deploy/local/supervise"
)

// process is a front end or a worker that belongs to one test. It is not restarted when it dies.
type process struct {
	pid    int
	admin  string
	listen string // Of a front end
	log    string
	kill   func() // By SIGKILL
	ended  chan error
}

// plainBinary builds the product without the race detector. A test that uses it has many goroutines,
// or measures time.
func plainBinary(t *testing.T) string {
	t.Helper()
	root, err := stack.FindRoot(".")
	require.NoError(t, err)
	binary := filepath.Join(t.TempDir(), "cloud-mirror")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".")
	build.Dir = root
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))
	return binary
}

// startProcess runs the product with the stack's environment and these variables, and waits until
// it is ready.
func startProcess(t *testing.T, name, binary string, args []string, variables ...string) *process {
	t.Helper()
	p := &process{ended: make(chan error, 1)}
	log, err := os.CreateTemp(sys.LogDir(), name+"-*.log") // inspectLogs reads this folder
	require.NoError(t, err)
	p.log = log.Name()
	log.Close()
	env := append(stack.UserEnv(), sys.Env()...)
	env = append(env, settings()...)
	ctx, kill := context.WithCancel(context.WithoutCancel(t.Context()))
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		p.ended <- supervise.Run(ctx, supervise.Spec{
			Name: name, Path: binary, Dir: sys.StateDir(), Log: p.log, Args: args,
			Env: append(append(env, "CLOUD_MIRROR_WORKER_ADMIN_LISTEN=127.0.0.1:0", "CLOUD_MIRROR_FRONTEND_ADMIN_LISTEN=127.0.0.1:0",
				"CLOUD_MIRROR_FRONTEND_LISTEN=127.0.0.1:0"), variables...),
		})
	}()
	p.kill = func() {
		kill()
		<-exited
	}
	t.Cleanup(p.kill)
	p.ready(t)
	return p
}

// settingsTree is a configuration file as a YAML tree.
type settingsTree map[string]any

// set changes a setting, such as redis.url.
func (c settingsTree) set(t *testing.T, key string, value any) {
	t.Helper()
	section, name, _ := strings.Cut(key, ".")
	of, ok := c[section].(map[string]any)
	require.True(t, ok && of[name] != nil, "the configuration has no %s", key)
	of[name] = value
}

// setEndpoint changes the endpoint of a region's S3 server.
func (c settingsTree) setEndpoint(t *testing.T, region, url string) {
	t.Helper()
	c.setPool(t, region, "endpoint", url)
	c.setPool(t, region, "key_endpoint", sys.S3Endpoint(region))
}

// setPool changes a setting of a region's pool.
func (c settingsTree) setPool(t *testing.T, region, name string, value any) {
	t.Helper()
	pools, _ := c["pools"].([]any)
	i := slices.IndexFunc(pools, func(pool any) bool {
		of, ok := pool.(map[string]any)
		return ok && of["region"] == region
	})
	require.GreaterOrEqual(t, i, 0, "the configuration has no pool in %s", region)
	pools[i].(map[string]any)[name] = value
}

// editedConfig applies edit to the stack's configuration, and writes the result to a file.
func editedConfig(t *testing.T, edit func(settingsTree)) string {
	t.Helper()
	text, err := os.ReadFile(sys.ConfigPath())
	require.NoError(t, err)
	var c settingsTree
	require.NoError(t, yaml.Unmarshal(text, &c))
	edit(c)
	text, err = yaml.Marshal(c)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "cloud-mirror.yaml")
	require.NoError(t, os.WriteFile(file, text, 0o600))
	return file
}

// redirectURL returns the URL of an object's redirect at this front end.
func (p *process) redirectURL(region, object, query string) string {
	return "http://" + p.listen + redirectPath(region, object, query)
}

// ready waits until the process is ready.
func (p *process) ready(t *testing.T) {
	t.Helper()
	var started struct {
		Message, Admin, Listen string
		PID                    int
	}
	eventually(t, func() bool {
		for _, line := range p.logged(t) {
			if json.Unmarshal(line, &started) == nil && (started.Message == "worker starts" || started.Message == "frontend started") {
				resp, err := http.Get("http://" + started.Admin + "/readyz")
				if err != nil {
					return false
				}
				resp.Body.Close()
				return resp.StatusCode == http.StatusOK
			}
		}
		return false
	}, "the process is ready")
	p.pid, p.admin, p.listen = started.PID, started.Admin, started.Listen
}

func (p *process) logged(t *testing.T) [][]byte {
	t.Helper()
	text, err := os.ReadFile(p.log)
	require.NoError(t, err)
	return bytes.Split(text, []byte("\n"))
}

func (p *process) signal(t *testing.T, sig syscall.Signal) {
	t.Helper()
	require.NoError(t, syscall.Kill(p.pid, sig))
}

// terminate sends SIGTERM, and waits until the process has ended without an error.
func (p *process) terminate(t *testing.T) {
	t.Helper()
	p.signal(t, syscall.SIGTERM)
	select {
	case err := <-p.ended:
		require.NoError(t, err)
	case <-background(t).Done():
		require.Fail(t, "the process does not end")
	}
}

// killable is a worker that a test may kill or freeze. It reaches S3, redis and Temporal through
// proxies.
type killable struct {
	*process
	s3       *s3Proxy
	redis    *redisProxy
	temporal *relay
}

// startKillable starts a killable worker in place of a region's worker, which resumes after the
// test.
func startKillable(t *testing.T, region string) *killable {
	t.Helper()
	pause(t, stack.WorkerName(region))
	k := &killable{s3: newS3Proxy(t, region), redis: newRedisProxy(t), temporal: newTemporalRelay(t)}
	config := editedConfig(t, func(c settingsTree) {
		c.set(t, "redis.url", "redis://"+k.redis.addr+"/0")
		c.setEndpoint(t, region, k.s3.URL)
	})
	k.process = startProcess(t, "killable", sys.Binary(), strings.Fields("worker --pool s3_"+region+" --no-bridge --config "+config),
		"TEMPORAL_ADDRESS="+k.temporal.addr)
	return k
}

// pause stops a process of the stack until the test ends.
func pause(t *testing.T, name string) {
	t.Helper()
	require.NoError(t, sys.Stop(name))
	t.Cleanup(func() { require.NoError(t, sys.Resume(name)) })
}
