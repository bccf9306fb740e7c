package stack_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/stack"
)

// TestMain lets the test binary stand in for cloud-mirror, which this package only starts and
// stops. Package e2e tests the real program.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "setup":
			fmt.Println(os.Getenv("STAND_IN_SETUP"))
			if os.Getenv("STAND_IN_SETUP") != "" {
				os.Exit(1)
			}
			os.Exit(0)
		case "frontend":
			standIn(os.Getenv("CLOUD_MIRROR_FRONTEND_ADMIN_LISTEN"))
		case "worker":
			standIn(os.Getenv("CLOUD_MIRROR_WORKER_ADMIN_LISTEN"))
		}
	}
	os.Exit(m.Run())
}

// standIn answers every request with its environment, which is the environment of cloud-mirror.
func standIn(listen string) {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	_ = http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, strings.Join(os.Environ(), "\n"))
	}))
	os.Exit(0)
}

func options(t *testing.T) stack.Options {
	t.Helper()
	root, err := stack.FindRoot(".")
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return stack.Options{Root: root, StateDir: filepath.Join(t.TempDir(), "state"), Binary: self, FrontEnds: 2, Log: t.Output()}
}

func TestStack(t *testing.T) {
	t.Setenv("AWS_PROFILE", "production")
	t.Setenv("TEMPORAL_TLS", "true")
	o := options(t)
	o.Env = []string{"CLOUD_MIRROR_LOG_LEVEL=debug"}
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute) // The first run builds programs
	defer cancel()
	s, err := stack.Start(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()

	names := []string{
		"temporal", "redis", "s3-us-west-2", "s3-us-east-1", "s3-eu-central-1", "sqs", "origin",
		"frontend-1", "frontend-2", "worker-us-west-2", "worker-us-east-1", "worker-eu-central-1",
	}
	if !slices.Equal(s.Names(), names) {
		t.Fatalf("parts are %v", s.Names())
	}
	if got := s.MinIOEndpoint(); got != "" {
		t.Errorf("MinIO runs at %s without ServicesOnly", got)
	}
	t.Run("environment", func(t *testing.T) { testEnvironment(t, s) })
	for _, name := range names {
		t.Run("kill "+name, func(t *testing.T) { testKill(ctx, t, s, name) })
		t.Run("stop "+name, func(t *testing.T) { testStop(ctx, t, s, name) })
	}
	t.Run("a second run", func(t *testing.T) {
		if _, err := stack.Start(ctx, o); err == nil || !strings.Contains(err.Error(), "is in use by") {
			t.Errorf("error is %v", err)
		}
	})
	t.Run("an unknown part", func(t *testing.T) {
		if err := s.Kill("flux-capacitor"); !errors.Is(err, stack.ErrUnknown) {
			t.Errorf("error is %v", err)
		}
	})

	var pids []int
	for _, name := range names {
		if pid := s.PID(name); pid != os.Getpid() {
			pids = append(pids, pid)
		}
	}
	if len(pids) < 9 {
		t.Errorf("only %d processes run", len(pids))
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	for _, pid := range pids {
		if syscall.Kill(pid, 0) == nil {
			t.Errorf("process %d still runs", pid)
		}
	}
	if err := stack.Clean(o.StateDir); err != nil {
		t.Error(err)
	}
}

func testEnvironment(t *testing.T, s *stack.Stack) {
	for _, name := range []string{"frontend-1", "frontend-2", "worker-us-east-1"} {
		b := get(t, s.AdminURL(name)+"/readyz")
		for _, want := range []string{
			"CLOUD_MIRROR_CONFIG=" + s.ConfigPath(), "TEMPORAL_ADDRESS=" + s.TemporalAddress(), "AWS_ACCESS_KEY_ID=local",
			"AWS_REGION=us-west-2", "CLOUD_MIRROR_LOG_LEVEL=debug",
		} {
			if !strings.Contains(b, want+"\n") {
				t.Errorf("%s lacks %s", name, want)
			}
		}
		for _, unwanted := range []string{"AWS_PROFILE", "TEMPORAL_TLS"} {
			if strings.Contains(b, unwanted) {
				t.Errorf("%s has the user's %s", name, unwanted)
			}
		}
	}
	if b := get(t, s.AdminURL("worker-us-east-1")); !strings.Contains(b, "CLOUD_MIRROR_WORKER_POOLS=s3_us-east-1\n") {
		t.Error("the worker has another pool")
	}
	if b := get(t, s.OriginURL()+"/hello.txt"); !strings.Contains(b, "Hello") {
		t.Errorf("the origin answers %q", b)
	}
}

func get(t *testing.T, url string) string {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return send(t, req)
}

// send returns the response as text, with its status in front.
func send(t *testing.T, req *http.Request) string {
	t.Helper()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var b strings.Builder
	if _, err := fmt.Fprint(&b, resp.Status, "\n"); err != nil {
		t.Fatal(err)
	}
	if err := resp.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func testKill(ctx context.Context, t *testing.T, s *stack.Stack, name string) {
	before := s.PID(name)
	if err := s.Kill(name); err != nil {
		t.Fatal(err)
	}
	if err := s.WaitReady(ctx, name); err != nil {
		t.Fatal(err)
	}
	after := s.PID(name)
	if after == 0 || after == before && before != os.Getpid() {
		t.Errorf("process %d runs, after %d", after, before)
	}
}

func testStop(ctx context.Context, t *testing.T, s *stack.Stack, name string) {
	if err := s.Stop(name); err != nil {
		t.Fatal(err)
	}
	if pid := s.PID(name); pid != 0 {
		t.Errorf("process %d runs after Stop", pid)
	}
	if err := s.WaitReady(ctx, name); err == nil {
		t.Error("a stopped part is ready")
	}
	if err := s.Resume(name); err != nil {
		t.Fatal(err)
	}
	if s.PID(name) == 0 {
		t.Error("nothing runs after Resume")
	}
}

// TestServicesOnly requires MinIO among the services, with the credentials of Env and no others.
func TestServicesOnly(t *testing.T) {
	o := options(t)
	o.ServicesOnly = true
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute) // The first run builds programs
	defer cancel()
	s, err := stack.Start(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()

	names := []string{"temporal", "redis", "s3-us-west-2", "s3-us-east-1", "s3-eu-central-1", "sqs", "minio"}
	if !slices.Equal(s.Names(), names) {
		t.Fatalf("parts are %v", s.Names())
	}
	t.Run("MinIO lists buckets", func(t *testing.T) {
		if b := listBuckets(t, s, stack.SecretKey); !strings.HasPrefix(b, "200 ") || !strings.Contains(b, "<ListAllMyBucketsResult") {
			t.Errorf("MinIO answers %q", b)
		}
	})
	t.Run("MinIO refuses another key", func(t *testing.T) {
		if b := listBuckets(t, s, "cheesecheese"); !strings.HasPrefix(b, "403 ") || !strings.Contains(b, "SignatureDoesNotMatch") {
			t.Errorf("MinIO answers %q", b)
		}
	})
	t.Run("kill minio", func(t *testing.T) {
		testKill(ctx, t, s, stack.MinIOName)
		if b := listBuckets(t, s, stack.SecretKey); !strings.HasPrefix(b, "200 ") {
			t.Errorf("after the restart MinIO answers %q", b)
		}
	})
	t.Run("stop minio", func(t *testing.T) { testStop(ctx, t, s, stack.MinIOName) })
}

// listBuckets sends MinIO a signed request.
func listBuckets(t *testing.T, s *stack.Stack, secret string) string {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, s.MinIOEndpoint()+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	hash := fmt.Sprintf("%x", sha256.Sum256(nil))
	req.Header.Set("X-Amz-Content-Sha256", hash)
	key := aws.Credentials{AccessKeyID: stack.AccessKey, SecretAccessKey: secret}
	if err := v4.NewSigner().SignHTTP(t.Context(), key, req, hash, "s3", stack.Regions()[0], time.Now()); err != nil {
		t.Fatal(err)
	}
	return send(t, req)
}

// TestFailedSetup requires the message of cloud-mirror in the error. It starts twice: the first
// run must release its lock and its ports.
func TestFailedSetup(t *testing.T) {
	o := options(t)
	o.Env = []string{"STAND_IN_SETUP=the queue is made of cheese"}
	for range 2 {
		_, err := stack.Start(t.Context(), o)
		if err == nil || !strings.Contains(err.Error(), "exit status 1") || !strings.Contains(err.Error(), "made of cheese") {
			t.Fatalf("error is %v", err)
		}
	}
}

// TestEmbeddedRedis hides redis-server, and the go command as well. The other programs exist,
// because TestServicesOnly has built them.
func TestEmbeddedRedis(t *testing.T) {
	t.Setenv("PATH", "")
	o := options(t)
	o.ServicesOnly = true
	s, err := stack.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if !strings.HasPrefix(s.RedisKind(), "embedded") || s.PID("redis") != os.Getpid() {
		t.Errorf("redis is %s, process %d", s.RedisKind(), s.PID("redis"))
	}
	conn, err := net.Dial("tcp", s.RedisAddr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	say := func(command string) string {
		words := strings.Fields(command)
		request := fmt.Sprintf("*%d\r\n", len(words))
		for _, word := range words {
			request += fmt.Sprintf("$%d\r\n%s\r\n", len(word), word)
		}
		if _, err := conn.Write([]byte(request)); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 100)
		n, err := conn.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	}
	if got := say("SET k v PX 200"); got != "+OK\r\n" {
		t.Fatalf("SET answers %q", got)
	}
	if got := say("EXISTS k"); got != ":1\r\n" {
		t.Fatalf("EXISTS answers %q", got)
	}
	for say("EXISTS k") != ":0\r\n" { // The deadline of conn bounds this loop
	}
}
