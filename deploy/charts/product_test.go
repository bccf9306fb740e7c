package charts

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/cloud-mirror/cloud-mirror/deploy/config"
)

// queryKey is a valid key of source.query_keys.
const queryKey = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

// variables returns a pod's variables, with a value in place of each reference.
func variables(p pod) map[string]string {
	of := map[string]string{}
	for _, e := range p.container().Env {
		of[e.Name] = e.Value
		if e.ValueFrom != nil {
			of[e.Name] = secret(e.Name)
		}
	}
	return of
}

// secret returns a valid value for a variable.
func secret(name string) string {
	switch name {
	case "CLOUD_MIRROR_REDIS_URL":
		return "redis://127.0.0.1:1/0"
	case "CLOUD_MIRROR_SOURCE_QUERY_KEYS", "CLOUD_MIRROR_WORKER_PAYLOAD_KEYS":
		return queryKey
	case "GOMEMLIMIT":
		return "536870912"
	default:
		return "from-a-secret"
	}
}

func environ(of map[string]string) (all []string) {
	for name, value := range of {
		all = append(all, name+"="+value)
	}
	return all
}

// configFile writes the configuration file of a pod, and returns its path.
func configFile(t *testing.T, r release, p pod) string {
	t.Helper()
	args := p.container().Args
	require.Equal(t, "--config", args[len(args)-2])
	at := args[len(args)-1]
	for _, v := range p.Spec.Volumes {
		for _, m := range p.container().VolumeMounts {
			if v.ConfigMap == nil || m.Name != v.Name || m.MountPath != path.Dir(at) {
				continue
			}
			text, ok := named[*corev1.ConfigMap](t, r, v.ConfigMap.Name).Data[path.Base(at)]
			require.True(t, ok, "the ConfigMap has no %s", path.Base(at))
			file := filepath.Join(t.TempDir(), path.Base(at))
			require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
			return file
		}
	}
	t.Fatalf("%s: no ConfigMap is mounted at %s", p.name, path.Dir(at))
	return ""
}

// configOf loads the configuration of a pod as the product does.
func configOf(t *testing.T, r release, p pod) config.Config {
	t.Helper()
	cfg, err := config.Load(configFile(t, r, p), environ(variables(p)))
	require.NoError(t, err, p.name)
	return cfg
}

// TestConfigurationLoads also compares the listeners with the ports of the pods.
func TestConfigurationLoads(t *testing.T) {
	forEach(t, func(t *testing.T, r release) {
		for _, p := range r.pods(t) {
			cfg := configOf(t, r, p)
			switch p.part {
			case "frontend":
				requirePort(t, p, portOf(t, cfg.Frontend.Listen))
				requirePort(t, p, portOf(t, cfg.Frontend.AdminListen))
			case "worker":
				requirePort(t, p, portOf(t, cfg.Worker.AdminListen))
				require.Equal(t, []string{"worker", "--pool", p.Labels["cloud-mirror/pool"], "--no-bridge"}, p.container().Args[:4])
				require.NoError(t, cfg.SetWorker([]string{p.Labels["cloud-mirror/pool"]}, nil, new(bool)))
			case "bridge":
				requirePort(t, p, portOf(t, cfg.Worker.AdminListen))
				require.Equal(t, []string{"worker", "--no-copy"}, p.container().Args[:2])
				require.NoError(t, cfg.SetWorker(nil, new(bool), nil))
			default:
				require.Equal(t, "setup", p.container().Args[0])
			}
		}
	})
}

// portOf returns the port of a listener on all addresses, as probes and scrapes need it.
func portOf(t *testing.T, listen string) intstr.IntOrString {
	t.Helper()
	host, port, err := net.SplitHostPort(listen)
	require.NoError(t, err)
	require.Empty(t, host, "kubelet can't reach %s", listen)
	return intstr.FromString(port)
}

// TestSettingsReachTheProduct finds values of every type in the loaded configuration.
func TestSettingsReachTheProduct(t *testing.T) {
	r := render(t, "examples/everything.yaml")
	for _, p := range r.pods(t) {
		cfg := configOf(t, r, p)
		require.Equal(t, 1_000_000, cfg.Frontend.CacheEntries)
		require.EqualValues(t, 512<<20, cfg.Frontend.CacheMemory)
		require.Equal(t, 25*time.Second, cfg.Frontend.MaxWait)
		require.Equal(t, 35*time.Second, cfg.Frontend.Drain)
		require.Equal(t, "012345678901", cfg.Pools[1].BucketOwner)
		require.Equal(t, map[string]string{"us-west-1": "us-west-2"}, cfg.Region.Nearest)
		require.Equal(t, []string{
			"mirror.internal.example.com", "mirror.example.com", "mirror.example.org", "mirror.example.net",
		}, cfg.Frontend.PublicNames)
	}
}

// product returns a command that runs the arguments of a pod, with loopback addresses.
func product(t *testing.T, r release, p pod) *exec.Cmd {
	t.Helper()
	program, err := programs(t).CloudMirror(t.Context(), false)
	require.NoError(t, err)
	of := variables(p)
	for _, name := range []string{"FRONTEND_LISTEN", "FRONTEND_ADMIN_LISTEN", "WORKER_ADMIN_LISTEN"} {
		of["CLOUD_MIRROR_"+name] = "127.0.0.1:0"
	}
	of["CLOUD_MIRROR_SQS_ENDPOINT"], of["TEMPORAL_ADDRESS"] = "http://127.0.0.1:1", "127.0.0.1:1"
	of["AWS_ENDPOINT_URL"], of["AWS_MAX_ATTEMPTS"] = "http://127.0.0.1:1", "1"
	args := append([]string{}, p.container().Args...)
	args[len(args)-1] = configFile(t, r, p)
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Env = environ(of)
	return cmd
}

// TestFrontEndAnswersItsProbes runs a front end as its pod does. It answers each probe, and ends within
// the grace period after SIGTERM.
func TestFrontEndAnswersItsProbes(t *testing.T) {
	r := render(t, "examples/static-credentials.yaml")
	p := r.selected(t, map[string]string{"app.kubernetes.io/component": "frontend"})[0]
	cmd := product(t, r, p)
	log, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := json.NewDecoder(log)
	started := nextLine(t, lines, "frontend started")
	listeners := map[string]string{"http": started["listen"], "admin": started["admin"]}
	c := p.container()
	for _, probe := range []*corev1.Probe{c.StartupProbe, c.LivenessProbe, c.ReadinessProbe} {
		requirePort(t, p, probe.HTTPGet.Port)
		listener := listeners[probe.HTTPGet.Port.String()]
		require.Equal(t, http.StatusOK, get(t, listener, probe.HTTPGet.Path), probe.HTTPGet.Path)
	}
	require.Equal(t, http.StatusOK, get(t, listeners["admin"], "/metrics"))
	require.Equal(t, http.StatusNotFound, get(t, listeners["admin"], "/no-such-probe"))
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	nextLine(t, lines, "frontend is not ready any more, and stops after frontend.drain")
	require.Equal(t, http.StatusServiceUnavailable, get(t, listeners["admin"], c.ReadinessProbe.HTTPGet.Path))
	require.Equal(t, http.StatusOK, get(t, listeners["admin"], c.LivenessProbe.HTTPGet.Path), "the kubelet would kill it")
	require.Equal(t, http.StatusOK, get(t, listeners["http"], "/v1/ping"))
	grace := time.Duration(*p.Spec.TerminationGracePeriodSeconds) * time.Second
	defer time.AfterFunc(grace, func() { _ = cmd.Process.Kill() }).Stop()
	_, err = io.Copy(io.Discard, io.MultiReader(lines.Buffered(), log))
	require.NoError(t, err)
	require.NoError(t, cmd.Wait())
}

// nextLine returns the next line of a log with a message.
func nextLine(t *testing.T, lines *json.Decoder, message string) map[string]string {
	t.Helper()
	for {
		var line map[string]any
		require.NoError(t, lines.Decode(&line), "the log has no line %q", message)
		if line["message"] != message {
			continue
		}
		texts := map[string]string{}
		for key, value := range line {
			if text, ok := value.(string); ok {
				texts[key] = text
			}
		}
		return texts
	}
}

func get(t *testing.T, address, path string) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+path, nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	return resp.StatusCode
}

// TestOtherPartsStart runs the arguments of the other pods, up to the dependencies that are missing here.
func TestOtherPartsStart(t *testing.T) {
	for file, want := range map[string]map[string]string{
		"examples/static-credentials.yaml": {
			"worker": "connect to Temporal at 127.0.0.1:1 (TEMPORAL_ADDRESS)",
			"bridge": "connect to Temporal at 127.0.0.1:1 (TEMPORAL_ADDRESS)",
			"setup":  "connect to Temporal at 127.0.0.1:1 (TEMPORAL_ADDRESS)",
		},
		// The files of the certificates are only in the pods.
		"examples/own-temporal-mtls.yaml": {
			"worker": "open /etc/cloud-mirror/temporal-client/tls.crt",
			"bridge": "open /etc/cloud-mirror/temporal-client/tls.crt",
		},
	} {
		r := render(t, file)
		for _, p := range r.pods(t) {
			if want[p.part] == "" {
				continue
			}
			out, err := product(t, r, p).CombinedOutput()
			require.Error(t, err, string(out))
			require.Contains(t, string(out), want[p.part], p.name)
			require.NotContains(t, string(out), "unknown flag")
		}
	}
}

// TestLoopbackCodecServer finds the codec server on the loopback address of bridges only.
func TestLoopbackCodecServer(t *testing.T) {
	r := render(t, "examples/everything.yaml")
	for _, p := range r.pods(t) {
		want := map[bool]string{true: "127.0.0.1:8083"}[p.part == "bridge"]
		require.Equal(t, want, configOf(t, r, p).Worker.CodecListen, p.name)
	}
}
