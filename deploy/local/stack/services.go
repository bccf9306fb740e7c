package stack

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/supervise"
)

// dynamicConfig makes a development server of Temporal quick: by default its only shard is polled 20 times a second,
// and every step of a workflow waits for the next poll. The matching settings switch on priority and fairness of task
// queues.
func dynamicConfig() []string {
	return []string{
		"history.transferProcessorMaxPollRPS=2000",
		"history.timerProcessorMaxPollRPS=2000",
		"history.visibilityProcessorMaxPollRPS=2000",
		"system.enableActivityEagerExecution=true",
		"system.enableEagerWorkflowStart=true",
		"matching.useNewMatcher=true",
		"matching.enableFairness=true",
	}
}

// serviceEnv is the environment of third-party servers: nothing of the user's settings should reach them.
func serviceEnv() []string {
	var env []string
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "USER", "LANG", "TZ"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

func (s *Stack) temporalSpec(program string) supervise.Spec {
	args := []string{
		"server", "start-dev", "--ip", loopback, "--port", strconv.Itoa(s.plan.temporal),
		"--http-port", strconv.Itoa(s.plan.temporalHTTP), "--metrics-port", strconv.Itoa(s.plan.metrics),
		"--db-filename", s.state.join("temporal.db"), "--sqlite-pragma", "journal_mode=WAL", "--sqlite-pragma", "synchronous=OFF",
		"--log-level", "warn",
	}
	if s.opts.ServicesOnly {
		args = append(args, "--headless")
	} else {
		args = append(args, "--ui-port", strconv.Itoa(s.plan.temporalUI))
	}
	for _, setting := range dynamicConfig() {
		args = append(args, "--dynamic-config-value", setting)
	}
	return supervise.Spec{
		Name: "temporal", Path: program, Args: args, Env: serviceEnv(), Log: s.logPath("temporal"),
		// More than a connection: the namespace is registered after the port is open.
		Ready: answers(httpURL(s.plan.temporalHTTP)+"/api/v1/namespaces/default", ok),
	}
}

// newRedis is redis-server, if there is one, with its data kept in the state folder, or else a stand-in.
func (s *Stack) newRedis() (part, error) {
	program, err := exec.LookPath("redis-server")
	if err != nil {
		s.redisKind = "embedded (miniredis: keeps nothing, announces no invalidations)"
		return newMiniredis(s.plan.redis, s.report), nil //nolint:nilerr // no redis-server is what the stand-in is for
	}
	dir := s.state.join("redis")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make the folder of redis: %w", err)
	}
	s.redisKind = "redis-server"
	return s.process(supervise.Spec{
		Name: "redis", Path: program, Env: serviceEnv(), Log: s.logPath("redis"), Ready: pong(address(s.plan.redis)),
		Args: []string{
			"--bind", loopback, "--port", strconv.Itoa(s.plan.redis), "--dir", dir, "--appendonly", "yes", "--save", "",
			"--daemonize", "no", "--loglevel", "warning",
		},
	}), nil
}

// s3Spec is a gateway to a folder of its own. It keeps an object's metadata in extended attributes, or beside the
// objects on a file system that has none.
func (s *Stack) s3Spec(program, region string, port int) (supervise.Spec, error) {
	dir := s.state.join("s3", region)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return supervise.Spec{}, fmt.Errorf("make the folder of S3: %w", err)
	}
	args := []string{"--port", address(port), "--region", region, "--quiet", "posix"}
	if !attributesWork(dir) {
		sidecar := s.state.join("s3-metadata", region)
		if err := os.MkdirAll(sidecar, 0o755); err != nil {
			return supervise.Spec{}, fmt.Errorf("make the folder of S3's metadata: %w", err)
		}
		args = append(args, "--sidecar", sidecar)
	}
	return supervise.Spec{
		Name: S3Name(region), Path: program, Args: append(args, dir), Log: s.logPath(S3Name(region)),
		Env:   append(serviceEnv(), "ROOT_ACCESS_KEY="+AccessKey, "ROOT_SECRET_KEY="+SecretKey),
		Ready: answers(httpURL(port)+"/", alive),
	}, nil
}

// minioSpec is MinIO over a folder of its own, with neither console nor update check. That folder is its home as well:
// certificates in the user's ~/.minio would make it speak TLS.
func (s *Stack) minioSpec(program string) (supervise.Spec, error) {
	home := s.state.join("minio")
	if err := os.MkdirAll(home, 0o755); err != nil {
		return supervise.Spec{}, fmt.Errorf("make the folder of MinIO: %w", err)
	}
	return supervise.Spec{
		Name: MinIOName, Path: program, Log: s.logPath(MinIOName),
		Args: []string{"server", "--quiet", "--address", address(s.plan.minio), filepath.Join(home, "data")},
		Env: append(serviceEnv(), "HOME="+home, "MINIO_ROOT_USER="+AccessKey, "MINIO_ROOT_PASSWORD="+SecretKey,
			"MINIO_REGION="+Regions()[0], "MINIO_BROWSER=off", "MINIO_UPDATE=off", "MINIO_CALLHOME_ENABLE=off"),
		// The cluster of one: /minio/health/live answers before buckets and credentials are loaded.
		Ready: answers(httpURL(s.plan.minio)+"/minio/health/cluster", ok),
	}, nil
}

// attributesWork tries whether files below a folder can have user extended attributes.
func attributesWork(dir string) bool {
	f, err := os.CreateTemp(filepath.Dir(dir), "attribute-probe-")
	if err != nil {
		return false
	}
	defer os.Remove(f.Name())
	defer f.Close()
	return unix.Setxattr(f.Name(), "user.cloud-mirror", []byte("x"), 0) == nil
}
