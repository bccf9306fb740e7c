package main

import (
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestMain lets the test binary be the command if a test asks for it.
func TestMain(m *testing.M) {
	if os.Getenv("LOCAL_TEST_COMMAND") != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestFaultsAreOneLine(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, err := net.SplitHostPort(taken.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	foreign := t.TempDir()
	if err := os.WriteFile(foreign+"/thesis.tex", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		args []string
		env  []string
		want string
	}{
		{"FRONTENDS is not a number", []string{"run"}, []string{"FRONTENDS=x"}, "FRONTENDS=x is not"},
		{"a port above the last", []string{"run"}, []string{"FRONTEND_PORT=99999"}, "FRONTEND_PORT=99999 is not"},
		{"a taken port", []string{"run"}, []string{"FRONTEND_PORT=" + port}, "FRONTEND_PORT=" + port + ": port " + port + " on 127.0.0.1 is taken"},
		{"a state folder with other files", []string{"run"}, []string{"STATE_DIR=" + foreign}, "did not create"},
		{"clean of a folder with other files", []string{"clean"}, []string{"STATE_DIR=" + foreign}, "not removed"},
		{"temporal with a bad port", []string{"temporal", "--", "workflow", "list"}, []string{"TEMPORAL_PORT=grpc"}, "TEMPORAL_PORT=grpc is not"},
		{"a Temporal elsewhere", []string{"run"}, []string{"TEMPORAL_ADDRESS=temporal.example.com:7233"}, "set TEMPORAL_ALLOW_REMOTE=1"},
		{"the CLI of a Temporal elsewhere", []string{"temporal", "--", "workflow", "list"}, []string{"TEMPORAL_ADDRESS=temporal.example.com:7233"}, "set TEMPORAL_ALLOW_REMOTE=1"},
		{"a Temporal that is missing", []string{"run"}, []string{"TEMPORAL_ADDRESS=127.0.0.1:1", "FRONTEND_PORT=0", "ADMIN_PORT=0", "S3_PORT=0", "SQS_PORT=0",
			"REDIS_PORT=0", "ORIGIN_PORT=0"}, "no Temporal answers"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cmd := exec.Command(os.Args[0], tt.args...)
			cmd.Env = append(os.Environ(), "LOCAL_TEST_COMMAND=1", "STATE_DIR="+t.TempDir())
			cmd.Env = append(cmd.Env, tt.env...)
			out, err := cmd.CombinedOutput()
			if err == nil || cmd.ProcessState.ExitCode() != 1 {
				t.Errorf("it ended with %v, want exit status 1", err)
			}
			if text := string(out); !strings.Contains(text, tt.want) || strings.Count(text, "\n") != 1 {
				t.Errorf("it prints %q, want one line with %q", text, tt.want)
			}
		})
	}
}

// TestFailedStart requires the reason in the message, although the root error is an exit status.
func TestFailedStart(t *testing.T) {
	script := t.TempDir() + "/cloud-mirror"
	if err := os.WriteFile(script, []byte("#!/bin/sh\necho the queue is made of cheese; exit 7\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "run", "--binary", script)
	cmd.Env = append(os.Environ(), "LOCAL_TEST_COMMAND=1", "STATE_DIR="+t.TempDir())
	for _, variable := range []string{"FRONTEND_PORT", "ADMIN_PORT", "TEMPORAL_PORT", "TEMPORAL_UI_PORT", "S3_PORT", "SQS_PORT", "REDIS_PORT", "ORIGIN_PORT"} {
		cmd.Env = append(cmd.Env, variable+"=0")
	}
	out, _ := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); code != 1 || !strings.Contains(string(out), "made of cheese") {
		t.Errorf("exit status %d, it prints %q", code, out)
	}
}

func TestVersionOfTheBanner(t *testing.T) {
	program := t.TempDir() + "/cloud-mirror"
	if err := os.WriteFile(program, []byte("#!/bin/sh\n[ \"$*\" = version ] && echo cloud-mirror v1.2.3-4-gabcdef\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if got, err := productVersion(t.Context(), program); err != nil || got != "cloud-mirror v1.2.3-4-gabcdef" {
		t.Errorf("productVersion is %q, %v", got, err)
	}
	if got, err := productVersion(t.Context(), "/bin/false"); err == nil || !strings.Contains(err.Error(), "/bin/false version") {
		t.Errorf("productVersion of a failing program is %q, %v", got, err)
	}
}

// TestExec runs a command beside real services. It requires the command's exit status, and the
// addresses of the services in its environment.
func TestExec(t *testing.T) {
	cmd := exec.Command(os.Args[0], "exec", "--", "sh", "-c", `echo "$CM_TEST_REDIS_URL|$CM_TEST_S3_ENDPOINTS|$CM_TEST_SQS_ENDPOINT|$CM_TEST_MINIO_ENDPOINT|$TEMPORAL_ADDRESS|$AWS_REGION"; exit 7`)
	cmd.Env = append(os.Environ(), "LOCAL_TEST_COMMAND=1")
	out, err := cmd.Output()
	if code := cmd.ProcessState.ExitCode(); code != 7 {
		t.Errorf("exit status is %d (%v), want 7", code, err)
	}
	fields := strings.Split(strings.TrimSpace(string(out)), "|")
	prefixes := []string{"redis://127.0.0.1:", "us-west-2=http://127.0.0.1:", "http://127.0.0.1:", "http://127.0.0.1:", "127.0.0.1:", "us-west-2"}
	if len(fields) != len(prefixes) {
		t.Fatalf("the command prints %q", out)
	}
	for i, prefix := range prefixes {
		if !strings.HasPrefix(fields[i], prefix) {
			t.Errorf("variable %d is %q, want %q…", i, fields[i], prefix)
		}
	}
}
