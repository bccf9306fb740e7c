package stack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
)

const (
	// reachTimeout bounds the connection to an existing Temporal at the start.
	reachTimeout = 5 * time.Second
	allowRemote  = "TEMPORAL_ALLOW_REMOTE"
)

// Temporal is an existing Temporal service, which a stack uses instead of its own.
type Temporal struct {
	Address, Namespace string
	// Env configures Temporal's clients, as NAME=value. It passes on the variables of the user,
	// which can hold credentials.
	Env []string
	// Client configures the SDK's clients.
	Client client.Options
}

// TemporalAt returns a service without TLS and credentials, in the namespace default.
func TemporalAt(address string) *Temporal {
	return &Temporal{
		Address: address, Namespace: client.DefaultNamespace, Env: temporalEnv(address, client.DefaultNamespace),
		Client: client.Options{HostPort: address, Namespace: client.DefaultNamespace},
	}
}

// temporalEnv are the variables of a Temporal without TLS and credentials. A temporal.toml of the
// user belongs to another Temporal.
func temporalEnv(address, namespace string) []string {
	return []string{"TEMPORAL_ADDRESS=" + address, "TEMPORAL_NAMESPACE=" + namespace, "TEMPORAL_CONFIG_FILE=" + os.DevNull}
}

// TemporalFromEnv returns the service that TEMPORAL_ADDRESS or a profile of temporal.toml names, by
// Temporal's own rules (https://docs.temporal.io/references/client-environment-configuration). It
// returns nil if there is none. An empty TEMPORAL_ADDRESS is none, even beside a profile.
//
// An address that is not on the loopback interface needs TEMPORAL_ALLOW_REMOTE=1. The error is one
// line.
func TemporalFromEnv(environ []string) (*Temporal, error) {
	env := variables(environ)
	if address, set := env.LookupEnv("TEMPORAL_ADDRESS"); set && strings.TrimSpace(address) == "" {
		return nil, nil //nolint:nilnil // Documented
	}
	profile, err := loadProfile(env)
	if err != nil || profile == nil {
		return nil, err
	}
	t := &Temporal{
		Address:   cmp.Or(strings.TrimSpace(profile.Address), client.DefaultHostPort),
		Namespace: cmp.Or(profile.Namespace, client.DefaultNamespace),
	}
	remote, err := env.flag(allowRemote)
	if err != nil {
		return nil, err
	}
	host, _, err := net.SplitHostPort(t.dialAddress())
	if err != nil {
		return nil, fmt.Errorf("TEMPORAL_ADDRESS=%s (or temporal.toml) is not a host and a port, for example %s",
			t.Address, client.DefaultHostPort)
	}
	if !remote && !onLoopback(host) {
		return nil, fmt.Errorf("TEMPORAL_ADDRESS=%s (or temporal.toml) is not on this machine: set %s=1 to use it, "+
			"or an empty TEMPORAL_ADDRESS to start a Temporal here", t.Address, allowRemote)
	}
	if t.Env, err = passedOn(env, profile); err != nil {
		return nil, err
	}
	t.Env = append(t.Env, "TEMPORAL_ADDRESS="+t.Address, "TEMPORAL_NAMESPACE="+t.Namespace)
	if t.Client, err = profile.ToClientOptions(envconfig.ToClientOptionsRequest{}); err != nil {
		return nil, fmt.Errorf("configuration of Temporal: %w", err)
	}
	t.Client.HostPort, t.Client.Namespace = t.Address, t.Namespace
	return t, nil
}

// loadProfile returns nil if neither TEMPORAL_ADDRESS nor a profile is set.
func loadProfile(env variables) (*envconfig.ClientConfigProfile, error) {
	file, err := envconfig.LoadClientConfigProfile(envconfig.LoadClientConfigProfileOptions{EnvLookup: env, DisableEnv: true})
	if err != nil {
		return nil, fmt.Errorf("configuration of Temporal: %w", err)
	}
	// Load it again: ApplyEnvVars changes the maps and pointers of a profile.
	both, err := envconfig.LoadClientConfigProfile(envconfig.LoadClientConfigProfileOptions{EnvLookup: env})
	if err != nil {
		return nil, fmt.Errorf("configuration of Temporal: %w", err)
	}
	if both.Address == "" && reflect.ValueOf(file).IsZero() {
		return nil, nil //nolint:nilnil // Documented
	}
	return &both, nil
}

// passedOn returns the user's TEMPORAL_ variables, except those of the stack. Relative paths become
// absolute, because the processes of the stack run in its state folder.
func passedOn(env variables, profile *envconfig.ClientConfigProfile) ([]string, error) {
	var kept []string
	for _, entry := range env {
		name, _, _ := strings.Cut(entry, "=")
		switch {
		case !strings.HasPrefix(name, "TEMPORAL_"), name == "TEMPORAL_PORT", name == "TEMPORAL_UI_PORT", name == allowRemote:
		default:
			kept = append(kept, entry)
		}
	}
	paths := map[string]string{}
	paths["TEMPORAL_CONFIG_FILE"], _ = env.LookupEnv("TEMPORAL_CONFIG_FILE")
	if tls := profile.TLS; tls != nil {
		paths["TEMPORAL_TLS_CLIENT_CERT_PATH"] = tls.ClientCertPath
		paths["TEMPORAL_TLS_CLIENT_KEY_PATH"] = tls.ClientKeyPath
		paths["TEMPORAL_TLS_SERVER_CA_CERT_PATH"] = tls.ServerCACertPath
	}
	for name, path := range paths {
		if path == "" {
			continue
		}
		abs, err := filepath.Abs(path)
		if err != nil {
			return nil, fmt.Errorf("%s=%s: %w", name, path, err)
		}
		kept = append(kept, name+"="+abs)
	}
	return kept, nil
}

// dialAddress is the address without the scheme of a resolver.
func (t *Temporal) dialAddress() string {
	for _, scheme := range []string{"dns:///", "passthrough:///"} {
		if rest, ok := strings.CutPrefix(t.Address, scheme); ok {
			return rest
		}
	}
	return t.Address
}

func onLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && ip.IsLoopback()
}

// reach tries a connection, so that a wrong address ends the start before anything is built.
func (t *Temporal) reach(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", t.dialAddress())
	if err != nil {
		return fmt.Errorf("TEMPORAL_ADDRESS=%s (or temporal.toml): no Temporal answers: start it, "+
			"or set an empty TEMPORAL_ADDRESS to start one here: %w", t.Address, err)
	}
	return conn.Close()
}

// variables is an environment, as NAME=value. Later entries win.
type variables []string

var _ envconfig.EnvLookup = variables(nil)

// Environ returns all variables.
func (v variables) Environ() []string { return v }

// LookupEnv returns a variable, and whether it is set.
func (v variables) LookupEnv(name string) (value string, set bool) {
	for _, entry := range v {
		if rest, ok := strings.CutPrefix(entry, name+"="); ok {
			value, set = rest, true
		}
	}
	return value, set
}

// flag reads a variable that is 1 or 0.
func (v variables) flag(name string) (bool, error) {
	value, _ := v.LookupEnv(name)
	if value = strings.TrimSpace(value); value == "" {
		return false, nil
	}
	on, err := strconv.ParseBool(value)
	if err != nil {
		return false, errors.New(name + "=" + value + " is neither 1 nor 0")
	}
	return on, nil
}
