package permissions

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/stack"
	"github.com/cloud-mirror/cloud-mirror/deploy/local/supervise"
	"github.com/cloud-mirror/cloud-mirror/deploy/local/tools"
)

// deadline bounds each wait for a condition.
const deadline = 60 * time.Second

const (
	west   = "us-west-2"
	bucket = stack.Bucket + "-" + west
	queue  = "cloud-mirror"
	// visibility is short, so that the bridge soon extends it for a message that it holds.
	visibility = "5s"
)

// rig is the services of the local stack, and the product's processes with a recorder for each role.
type rig struct {
	*stack.Stack
	t        *testing.T
	binary   string
	temporal client.Client
	queryKey string
	ports    []int // Free: of the front end, and of three admin listeners

	copierS3 string // The copier's proxy of S3

	setup, frontend, copier, bridge, operator Recorder
}

func newRig(t *testing.T) *rig {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute) // The first run builds programs
	defer cancel()
	root, err := stack.FindRoot(".")
	require.NoError(t, err)
	r := &rig{t: t}
	r.binary, err = tools.Tools{Root: root}.CloudMirror(ctx, false)
	require.NoError(t, err)
	r.Stack, err = stack.Start(ctx, stack.Options{Root: root, StateDir: t.TempDir(), ServicesOnly: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	ports, release, err := stack.FreePorts(4)
	require.NoError(t, err)
	t.Cleanup(release)
	r.ports = ports
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	r.queryKey = base64.StdEncoding.EncodeToString(key)
	r.temporal, err = client.Dial(r.TemporalClient())
	require.NoError(t, err)
	t.Cleanup(r.temporal.Close)
	return r
}

// proxied returns the address of a role's proxy before a server.
func (r *rig) proxied(role *Recorder, server string) string {
	r.t.Helper()
	to, err := url.Parse(server)
	require.NoError(r.t, err)
	proxy := httptest.NewServer(role.Proxy(to))
	r.t.Cleanup(func() {
		proxy.CloseClientConnections() // Ends the long polls
		proxy.Close()
	})
	return proxy.URL
}

// config writes the configuration of a role, whose pool is on an S3 server.
func (r *rig) config(role *Recorder, s3 string) string {
	r.t.Helper()
	dir := r.t.TempDir()
	tokens := filepath.Join(dir, "tokens")
	require.NoError(r.t, os.WriteFile(tokens, []byte("test purge "+stack.PurgeToken+"\n"), 0o600))
	endpoint := r.proxied(role, s3)
	if role == &r.copier {
		r.copierS3 = endpoint
	}
	text := fmt.Sprintf(`
source: {allowed: ["http://127.0.0.1:*/"], ensure_ssl: false, allowed_networks: [127.0.0.0/8], query_keys: [%q]}
frontend: {tokens_file: %q, listen: %q, admin_listen: %q}
redis: {url: %q, timeout: 1s}
sqs: {queue: %s, region: %s, endpoint: %q, visibility_timeout: %s}
s3: {bucket_base: %s}
pools: [{region: %s, endpoint: %q, key_endpoint: %q, path_style: true}]
`, r.queryKey, tokens, r.address(0), r.address(1), r.RedisURL(), queue, west, r.proxied(role, r.SQSEndpoint()), visibility,
		stack.Bucket, west, endpoint, s3)
	file := filepath.Join(dir, "cloud-mirror.yaml")
	require.NoError(r.t, os.WriteFile(file, []byte(text), 0o600))
	return file
}

func (r *rig) address(i int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(r.ports[i])) }

func (r *rig) env(more ...string) []string {
	return append(append(stack.UserEnv(), r.Env()...), more...)
}

// command runs a command of the product with a configuration, and returns what it prints.
func (r *rig) command(config, arguments string, env ...string) (string, error) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), deadline)
	defer cancel()
	cmd := exec.CommandContext(ctx, r.binary, strings.Fields(arguments)...)
	cmd.Env = r.env(append(env, "CLOUD_MIRROR_CONFIG="+config)...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

func (r *rig) mustCommand(config, arguments string, env ...string) string {
	r.t.Helper()
	out, err := r.command(config, arguments, env...)
	require.NoError(r.t, err, "%s: %s", arguments, out)
	return out
}

// start starts a process, and returns when it is ready. The admin listener has the port with an
// index.
func (r *rig) start(name, config, arguments string, admin int) *supervise.Process {
	r.t.Helper()
	p := supervise.New(supervise.Spec{
		Name: name, Path: r.binary, Args: strings.Fields(arguments), Dir: r.t.TempDir(), Log: filepath.Join(r.LogDir(), name+".log"),
		Env: r.env("CLOUD_MIRROR_CONFIG="+config, "CLOUD_MIRROR_WORKER_ADMIN_LISTEN="+r.address(admin)),
		Ready: func(ctx context.Context) error {
			status, err := get(ctx, "http://"+r.address(admin)+"/readyz")
			if err == nil && status != http.StatusOK {
				err = fmt.Errorf("status %d", status)
			}
			return err
		},
	}, supervise.Options{})
	r.t.Cleanup(p.Close)
	require.NoError(r.t, p.Start(r.t.Context()))
	return p
}

func get(ctx context.Context, target string) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}

func (r *rig) eventually(condition func() bool, what string) {
	r.t.Helper()
	require.Eventually(r.t, condition, deadline, 50*time.Millisecond, what)
}

// used waits until a role has made a call.
func (r *rig) used(role *Recorder, operation string) {
	r.t.Helper()
	r.eventually(func() bool { return role.Recorded(operation) }, operation+" is called")
}
