package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/stack"
	"github.com/cloud-mirror/cloud-mirror/deploy/local/supervise"
)

// victim is a worker of a test's own, as the stack's but for the proxies that it speaks through. Nobody starts it again.
type victim struct {
	pid   int
	log   string
	kill  func() // by SIGKILL
	ended chan error

	s3       *s3Proxy
	redis    *redisProxy
	temporal *relay
}

// newVictim takes the place of a region's worker, which is there again after the test.
func newVictim(t *testing.T, region string) *victim {
	t.Helper()
	require.NoError(t, sys.Stop(stack.WorkerName(region)))
	t.Cleanup(func() { require.NoError(t, sys.Resume(stack.WorkerName(region))) })
	v := &victim{
		s3: newS3Proxy(t, region), redis: newRedisProxy(t), temporal: newTemporalRelay(t), ended: make(chan error, 1),
	}
	log, err := os.CreateTemp(sys.LogDir(), "victim-*.log") // where inspectLogs looks
	require.NoError(t, err)
	v.log = log.Name()
	log.Close()
	env := append(stack.UserEnv(), sys.Env()...)
	env = append(env, settings()...)
	config := v.config(t, region)
	ctx, kill := context.WithCancel(context.WithoutCancel(t.Context()))
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		v.ended <- supervise.Run(ctx, supervise.Spec{
			Name: "victim", Path: sys.Binary(), Dir: sys.StateDir(), Log: v.log,
			Args: []string{"worker", "--config", config, "--pool", "s3_" + region, "--no-bridge"},
			Env:  append(env, "CLOUD_MIRROR_WORKER_ADMIN_LISTEN=127.0.0.1:0", "TEMPORAL_ADDRESS="+v.temporal.addr),
		})
	}()
	v.kill = func() {
		kill()
		<-exited
	}
	t.Cleanup(v.kill)
	v.ready(t)
	return v
}

// config is the stack's, with the proxies in it.
func (v *victim) config(t *testing.T, region string) string {
	t.Helper()
	text, err := os.ReadFile(sys.ConfigPath())
	require.NoError(t, err)
	var c stack.Config
	require.NoError(t, yaml.Unmarshal(text, &c))
	c.Redis.URL = "redis://" + v.redis.addr + "/0"
	for i := range c.Pools {
		if c.Pools[i].Region == region {
			c.Pools[i].Endpoint = v.s3.URL
		}
	}
	text, err = yaml.Marshal(c)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "cloud-mirror.yaml")
	require.NoError(t, os.WriteFile(file, text, 0o600))
	return file
}

// ready waits until the process works.
func (v *victim) ready(t *testing.T) {
	t.Helper()
	var started struct {
		Message, Admin string
		PID            int
	}
	eventually(t, func() bool {
		for _, line := range v.logged(t) {
			if json.Unmarshal(line, &started) == nil && started.Message == "worker starts" {
				resp, err := http.Get("http://" + started.Admin + "/readyz")
				if err != nil {
					return false
				}
				resp.Body.Close()
				return resp.StatusCode == http.StatusOK
			}
		}
		return false
	}, "the victim works")
	v.pid = started.PID
}

func (v *victim) logged(t *testing.T) [][]byte {
	t.Helper()
	text, err := os.ReadFile(v.log)
	require.NoError(t, err)
	return bytes.Split(text, []byte("\n"))
}

func (v *victim) signal(t *testing.T, sig syscall.Signal) {
	t.Helper()
	require.NoError(t, syscall.Kill(v.pid, sig))
}

// terminate ends the process in order.
func (v *victim) terminate(t *testing.T) {
	t.Helper()
	v.signal(t, syscall.SIGTERM)
	select {
	case err := <-v.ended:
		require.NoError(t, err)
	case <-background(t).Done():
		require.Fail(t, "the victim does not end")
	}
}
