package stack_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/stack"
)

// TestExistingTemporal lets a stack use the development server of another stack, by a variable and
// by a profile. The second stack starts none, and leaves that of the first stack running.
func TestExistingTemporal(t *testing.T) {
	o := options(t)
	o.ServicesOnly = true
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute) // The first run builds programs
	defer cancel()
	first, err := stack.Start(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	before := first.PID("temporal")

	file := filepath.Join(t.TempDir(), "temporal.toml")
	profile := fmt.Sprintf("[profile.mine]\naddress = %q\nnamespace = \"team\"\n", first.TemporalAddress())
	if err := os.WriteFile(file, []byte(profile), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		env       []string
		namespace string
	}{
		"variable": {[]string{"TEMPORAL_ADDRESS=" + first.TemporalAddress(), "TEMPORAL_GRPC_META_TEAM=mirrors"}, "default"},
		"profile":  {[]string{"TEMPORAL_CONFIG_FILE=" + file, "TEMPORAL_PROFILE=mine"}, "team"},
	} {
		t.Run(name, func(t *testing.T) {
			var log strings.Builder
			o := options(t)
			o.Log = &log
			if o.Temporal, err = stack.TemporalFromEnv(tt.env); err != nil {
				t.Fatal(err)
			}
			o.WorkersPerRegion, o.Bridges = 2, 2
			s, err := stack.Start(ctx, o)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if slices.Contains(s.Names(), "temporal") || s.TemporalAddress() != first.TemporalAddress() || s.OwnTemporal() {
				t.Errorf("parts are %v, Temporal is at %s", s.Names(), s.TemporalAddress())
			}
			if s.TemporalNamespace() != tt.namespace || s.TemporalUIURL() != "" {
				t.Errorf("namespace %s, web UI %q", s.TemporalNamespace(), s.TemporalUIURL())
			}
			want := slices.Concat(tt.env, []string{"TEMPORAL_ADDRESS=" + first.TemporalAddress(), "TEMPORAL_NAMESPACE=" + tt.namespace})
			for _, process := range []string{"frontend-2", "worker-us-east-1-2"} {
				b := get(t, s.AdminURL(process)+"/readyz")
				for _, entry := range want {
					if !strings.Contains(b, entry+"\n") {
						t.Errorf("%s lacks %s", process, entry)
					}
				}
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			says := fmt.Sprintf("using the existing Temporal at %s, namespace %s", first.TemporalAddress(), tt.namespace)
			if !strings.Contains(log.String(), says) {
				t.Errorf("the log lacks %q: %s", says, log.String())
			}
			if first.PID("temporal") != before {
				t.Error("the existing Temporal was restarted")
			}
			conn, err := net.Dial("tcp", first.TemporalAddress())
			if err != nil {
				t.Fatalf("the existing Temporal has ended: %v", err)
			}
			conn.Close()
		})
	}
}

// TestMissingTemporal requires one line before anything starts. Its control is TestExistingTemporal.
func TestMissingTemporal(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := l.Addr().String()
	l.Close()
	var log strings.Builder
	o := options(t)
	o.Log, o.Temporal = &log, stack.TemporalAt(gone)
	_, err = stack.Start(t.Context(), o)
	if err == nil || !strings.Contains(err.Error(), "TEMPORAL_ADDRESS="+gone) || strings.Contains(err.Error(), "\n") {
		t.Errorf("error is %v, want one line with the address", err)
	}
	if log.Len() != 0 {
		t.Errorf("the start went on: %s", log.String())
	}
}
