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

// dynamicConfig speeds up a development server of Temporal. By default the server polls its only
// shard 20 times a second, and every step of a workflow waits for the next poll. The matching
// settings enable priority and fairness of task queues, and give a task queue one partition
// instead of four. On a busy machine a task and a poller in two partitions miss each other. The
// task then waits up to a minute for the next poll. The server notices within seconds, instead of
// minutes, that a worker deployment version is drained.
func dynamicConfig() []string {
	return []string{
		"history.transferProcessorMaxPollRPS=2000",
		"history.timerProcessorMaxPollRPS=2000",
		"history.visibilityProcessorMaxPollRPS=2000",
		"system.enableActivityEagerExecution=true",
		"system.enableEagerWorkflowStart=true",
		"matching.useNewMatcher=true",
		"matching.enableFairness=true",
		"matching.numTaskqueueReadPartitions=1",
		"matching.numTaskqueueWritePartitions=1",
		`matching.wv.VersionDrainageStatusVisibilityGracePeriod="2s"`,
		`matching.wv.VersionDrainageStatusRefreshInterval="2s"`,
	}
}

// serviceEnv is the environment of third-party servers. It keeps the user's settings away from
// them.
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
		// A connection would not do: the namespace is registered after the port is open.
		Ready: answers(httpURL(s.plan.temporalHTTP)+"/api/v1/namespaces/default", ok),
	}
}

// newRedis returns redis-server with its data in the state folder, or miniredis if redis-server is
// not installed.
func (s *Stack) newRedis() (part, error) {
	program, err := exec.LookPath("redis-server")
	if err != nil {
		s.redisKind = "embedded (miniredis: keeps no data between runs, sends no invalidations)"
		return newMiniredis(s.plan.redis, s.report), nil //nolint:nilerr // Miniredis replaces a missing redis-server
	}
	dir := s.state.join("redis")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("create the folder of redis: %w", err)
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

// s3Spec returns the spec of a versitygw with its own folder. It keeps metadata in extended
// attributes. A file system without them gets a sidecar folder.
func (s *Stack) s3Spec(program, region string, port int) (supervise.Spec, error) {
	dir := s.state.join("s3", region)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return supervise.Spec{}, fmt.Errorf("create the folder of S3: %w", err)
	}
	args := []string{"--port", address(port), "--region", region, "--quiet", "posix"}
	if !attributesWork(dir) {
		sidecar := s.state.join("s3-metadata", region)
		if err := os.MkdirAll(sidecar, 0o755); err != nil {
			return supervise.Spec{}, fmt.Errorf("create the folder of S3's metadata: %w", err)
		}
		args = append(args, "--sidecar", sidecar)
	}
	return supervise.Spec{
		Name: S3Name(region), Path: program, Args: append(args, dir), Log: s.logPath(S3Name(region)),
		Env:   append(serviceEnv(), "ROOT_ACCESS_KEY="+AccessKey, "ROOT_SECRET_KEY="+SecretKey),
		Ready: answers(httpURL(port)+"/", alive),
	}, nil
}

// minioSpec returns the spec of MinIO with its own folder, without console and update check. The
// folder is its HOME as well: with certificates in the user's ~/.minio MinIO would use TLS.
func (s *Stack) minioSpec(program string) (supervise.Spec, error) {
	home := s.state.join("minio")
	if err := os.MkdirAll(home, 0o755); err != nil {
		return supervise.Spec{}, fmt.Errorf("create the folder of MinIO: %w", err)
	}
	return supervise.Spec{
		Name: MinIOName, Path: program, Log: s.logPath(MinIOName),
		Args: []string{"server", "--quiet", "--address", address(s.plan.minio), filepath.Join(home, "data")},
		Env: append(serviceEnv(), "HOME="+home, "MINIO_ROOT_USER="+AccessKey, "MINIO_ROOT_PASSWORD="+SecretKey,
			"MINIO_REGION="+Regions()[0], "MINIO_BROWSER=off", "MINIO_UPDATE=off", "MINIO_CALLHOME_ENABLE=off"),
		// The cluster is this process. /minio/health/live answers before buckets and credentials
		// are loaded.
		Ready: answers(httpURL(s.plan.minio)+"/minio/health/cluster", ok),
	}, nil
}

// attributesWork tries whether files beside a folder can have user extended attributes.
func attributesWork(dir string) bool {
	f, err := os.CreateTemp(filepath.Dir(dir), "attribute-probe-")
	if err != nil {
		return false
	}
	defer os.Remove(f.Name())
	defer f.Close()
	return unix.Setxattr(f.Name(), "user.cloud-mirror", []byte("x"), 0) == nil
}
