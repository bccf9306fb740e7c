package stack

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.temporal.io/sdk/contrib/envconfig"
)

// profiles is a temporal.toml with a profile for each case.
const profiles = `[profile.default]
address = "127.0.0.1:7000"
namespace = "mirror"
[profile.bare]
namespace = "bare"
[profile.secured]
address = "localhost:7001"
api_key = "key of the profile"
[profile.secured.tls]
server_name = "temporal.example.com"
[profile.elsewhere]
address = "temporal.example.com:7233"
`

func TestTemporalFromEnv(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir()) // No temporal.toml of the user
	file := filepath.Join(t.TempDir(), "temporal.toml")
	if err := os.WriteFile(file, []byte(profiles), 0o600); err != nil {
		t.Fatal(err)
	}
	config := "TEMPORAL_CONFIG_FILE=" + file
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name               string
		env                []string
		address, namespace string // Empty for none
		passes             []string
		want               string // In the error
	}{
		{"nothing set", nil, "", "", nil, ""},
		{"a namespace alone", []string{"TEMPORAL_NAMESPACE=x"}, "", "", nil, ""},
		{"an IPv4 address", []string{"TEMPORAL_ADDRESS=127.0.0.1:1"}, "127.0.0.1:1", "default", nil, ""},
		{"an IPv6 address", []string{"TEMPORAL_ADDRESS=[::1]:1"}, "[::1]:1", "default", nil, ""},
		{"localhost", []string{"TEMPORAL_ADDRESS=localhost:1", "TEMPORAL_NAMESPACE=x"}, "localhost:1", "x", nil, ""},
		{"a resolver", []string{"TEMPORAL_ADDRESS=dns:///localhost:1"}, "dns:///localhost:1", "default", nil, ""},
		{"a profile", []string{config}, "127.0.0.1:7000", "mirror", []string{config}, ""},
		{"a profile without an address", []string{config, "TEMPORAL_PROFILE=bare"}, "localhost:7233", "bare", nil, ""},
		{"an address beside a profile", []string{config, "TEMPORAL_ADDRESS=127.0.0.1:1"}, "127.0.0.1:1", "mirror", nil, ""},
		{"an empty address beside a profile", []string{config, "TEMPORAL_ADDRESS="}, "", "", nil, ""},
		{"TLS and a key", []string{config, "TEMPORAL_PROFILE=secured"}, "localhost:7001", "default",
			[]string{"TEMPORAL_PROFILE=secured", config}, ""},
		{"variables of Temporal", []string{"TEMPORAL_ADDRESS=127.0.0.1:1", "TEMPORAL_API_KEY=k", "TEMPORAL_TLS=false", "TEMPORAL_PORT=2",
			"TEMPORAL_UI_PORT=3", "TEMPORAL_ALLOW_REMOTE=0", "HOME=/x"}, "127.0.0.1:1", "default",
			[]string{"TEMPORAL_API_KEY=k", "TEMPORAL_TLS=false"}, ""},
		{"a relative path", []string{"TEMPORAL_ADDRESS=127.0.0.1:1", "TEMPORAL_CONFIG_FILE=missing.toml"}, "127.0.0.1:1", "default",
			[]string{"TEMPORAL_CONFIG_FILE=" + filepath.Join(here, "missing.toml")}, ""},
		{"another machine", []string{"TEMPORAL_ADDRESS=temporal.example.com:7233"}, "", "", nil,
			"TEMPORAL_ADDRESS=temporal.example.com:7233 (or temporal.toml) is not on this machine: set TEMPORAL_ALLOW_REMOTE=1"},
		{"an address of another machine", []string{"TEMPORAL_ADDRESS=10.0.0.1:7233"}, "", "", nil, "is not on this machine"},
		{"a profile of another machine", []string{config, "TEMPORAL_PROFILE=elsewhere"}, "", "", nil, "is not on this machine"},
		{"another machine, allowed", []string{"TEMPORAL_ADDRESS=temporal.example.com:7233", "TEMPORAL_ALLOW_REMOTE=1"},
			"temporal.example.com:7233", "default", nil, ""},
		{"neither 1 nor 0", []string{"TEMPORAL_ADDRESS=127.0.0.1:1", "TEMPORAL_ALLOW_REMOTE=maybe"}, "", "", nil,
			"TEMPORAL_ALLOW_REMOTE=maybe is neither 1 nor 0"},
		{"no port", []string{"TEMPORAL_ADDRESS=localhost"}, "", "", nil, "is not a host and a port"},
		{"an unknown profile", []string{config, "TEMPORAL_PROFILE=nope"}, "", "", nil, "unable to find profile nope"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := TemporalFromEnv(tt.env)
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
					t.Fatalf("error is %v, want one line with %q", err, tt.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if tt.address == "" {
				if got != nil {
					t.Fatalf("an existing Temporal: %+v", got)
				}
				return
			}
			if got == nil || got.Address != tt.address || got.Namespace != tt.namespace {
				t.Fatalf("Temporal is %+v, want %s and namespace %s", got, tt.address, tt.namespace)
			}
			if got.Client.HostPort != tt.address || got.Client.Namespace != tt.namespace {
				t.Errorf("the client's options are %s and %s", got.Client.HostPort, got.Client.Namespace)
			}
			for _, entry := range append(tt.passes, "TEMPORAL_ADDRESS="+tt.address, "TEMPORAL_NAMESPACE="+tt.namespace) {
				if !slices.Contains(got.Env, entry) {
					t.Errorf("%s is not passed on: %q", entry, got.Env)
				}
			}
			for _, entry := range got.Env {
				name, _, _ := strings.Cut(entry, "=")
				if !strings.HasPrefix(name, "TEMPORAL_") || slices.Contains([]string{"TEMPORAL_PORT", "TEMPORAL_UI_PORT", allowRemote}, name) {
					t.Errorf("%s is passed on", entry)
				}
			}
		})
	}
}

// TestTemporalWithTLS requires the TLS and the key of a profile in the options of clients, and
// absolute paths in their variables.
func TestTemporalWithTLS(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "temporal.toml")
	if err := os.WriteFile(file, []byte(profiles), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := TemporalFromEnv([]string{"TEMPORAL_CONFIG_FILE=" + file, "TEMPORAL_PROFILE=secured"})
	if err != nil {
		t.Fatal(err)
	}
	if got.Client.Credentials == nil || got.Client.ConnectionOptions.TLS == nil ||
		got.Client.ConnectionOptions.TLS.ServerName != "temporal.example.com" {
		t.Errorf("the client's options lack the profile's TLS or key: %+v", got.Client.ConnectionOptions.TLS)
	}
	t.Chdir(dir)
	if err := os.WriteFile("ca.pem", []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = TemporalFromEnv([]string{"TEMPORAL_ADDRESS=127.0.0.1:1", "TEMPORAL_TLS_SERVER_CA_CERT_PATH=ca.pem"})
	if err == nil || !strings.Contains(err.Error(), "configuration of Temporal: invalid TLS config") {
		t.Errorf("a bad certificate: %v", err)
	}
	profile := &envconfig.ClientConfigProfile{TLS: &envconfig.ClientConfigTLS{ServerCACertPath: "ca.pem"}}
	env, err := passedOn(variables{"TEMPORAL_TLS_SERVER_CA_CERT_PATH=ca.pem"}, profile)
	if path, _ := variables(env).LookupEnv("TEMPORAL_TLS_SERVER_CA_CERT_PATH"); err != nil || !filepath.IsAbs(path) {
		t.Errorf("the path %s is passed on (%v), want it absolute", path, err)
	}
}

func TestWorkersAndBridges(t *testing.T) {
	names := func(o Options) (all, bridges []string) {
		for _, w := range o.workers() {
			all = append(all, w.name)
			if w.bridge {
				bridges = append(bridges, w.name)
			}
		}
		return all, bridges
	}
	all, bridges := names(Options{})
	if !slices.Equal(all, []string{"worker-us-west-2", "worker-us-east-1", "worker-eu-central-1"}) || !slices.Equal(bridges, all) {
		t.Errorf("by default the workers are %v, and %v bridge", all, bridges)
	}
	all, bridges = names(Options{WorkersPerRegion: 2, Bridges: 2})
	if len(all) != 6 || all[3] != "worker-us-west-2-2" || !slices.Equal(bridges, all[:2]) {
		t.Errorf("the workers are %v, and %v bridge", all, bridges)
	}
}
