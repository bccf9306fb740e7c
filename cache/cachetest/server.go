package cachetest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// startLimit bounds the start of servers, and failovers.
const startLimit = 60 * time.Second

// Server is a redis-server process on a loopback port. It ends with the test.
type Server struct {
	// Addr is its host and port.
	Addr string

	t      testing.TB
	args   []string
	client *redis.Client
	cmd    *exec.Cmd
	ended  chan struct{}
}

// freePorts returns ports that no process uses.
func freePorts(t testing.TB, n int) (ports []string) {
	t.Helper()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // tests only
		require.NoError(t, err)
		defer l.Close() //nolint:errcheck // All stay open until the last is found.
		_, port, err := net.SplitHostPort(l.Addr().String())
		require.NoError(t, err)
		ports = append(ports, port)
	}
	return ports
}

// StartServer starts a redis-server with these arguments, and waits until it answers.
func StartServer(t testing.TB, args ...string) *Server {
	t.Helper()
	port := freePorts(t, 1)[0]
	return startServer(t, port, append([]string{"--dir", t.TempDir()}, args...)...)
}

// startServer starts a redis-server on a port.
func startServer(t testing.TB, port string, args ...string) *Server {
	t.Helper()
	s := &Server{Addr: "127.0.0.1:" + port, t: t}
	s.args = append([]string{"--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"}, args...)
	s.client = redis.NewClient(&redis.Options{Addr: s.Addr, MaxRetries: -1, DialerRetries: 1})
	t.Cleanup(func() { _ = s.client.Close() })
	s.Start()
	t.Cleanup(s.Kill)
	return s
}

// Start starts the process again after a Kill.
func (s *Server) Start() {
	s.t.Helper()
	program, err := exec.LookPath("redis-server")
	require.NoError(s.t, err, "this test needs a real redis-server: run `make test`")
	s.cmd = exec.Command(program, s.args...) //nolint:gosec,noctx // the arguments are the test's own
	require.NoError(s.t, s.cmd.Start())
	ended := make(chan struct{})
	s.ended = ended
	go func() { defer close(ended); _ = s.cmd.Wait() }()
	s.eventually(func() bool {
		err := s.client.Ping(s.t.Context()).Err()
		return err == nil || strings.HasPrefix(err.Error(), "NOAUTH")
	}, "redis-server answers")
}

// Kill kills the process with SIGKILL, and waits until it has ended.
func (s *Server) Kill() {
	_ = s.cmd.Process.Kill()
	<-s.ended
}

// Freeze stops the process without ending it, until Thaw or Kill.
func (s *Server) Freeze() { require.NoError(s.t, s.cmd.Process.Signal(syscall.SIGSTOP)) }

// Thaw ends Freeze.
func (s *Server) Thaw() { require.NoError(s.t, s.cmd.Process.Signal(syscall.SIGCONT)) }

// Do sends a command to this server, and returns its reply. The test fails if that is an error.
func (s *Server) Do(args ...any) any {
	s.t.Helper()
	reply, err := s.client.Do(s.t.Context(), args...).Result()
	require.NoError(s.t, err, args)
	return reply
}

// Try sends a command to this server, and returns its reply.
func (s *Server) Try(args ...any) (any, error) { return s.client.Do(s.t.Context(), args...).Result() }

// info reports whether a section of INFO has a text.
func (s *Server) info(section, text string) bool {
	reply, err := s.Try("INFO", section)
	return err == nil && strings.Contains(fmt.Sprint(reply), text)
}

// IsMaster reports whether the server says that it is a master.
func (s *Server) IsMaster() bool { return s.info("replication", "role:master") }

func (s *Server) eventually(condition func() bool, what string) {
	s.t.Helper()
	require.Eventually(s.t, condition, startLimit, 10*time.Millisecond, "%s: %s", s.Addr, what)
}

// Sentinels is a master with a replica, and three sentinels that watch it.
type Sentinels struct {
	// Servers are the master, at first, and its replica.
	Servers []*Server
	// Sentinels fail over when two of them have not seen the master for a second.
	Sentinels []*Server
	// URL is the redis.url of all.
	URL string
}

// SentinelPassword is the password of the sentinels that StartSentinels starts.
const SentinelPassword = "sentinel-password-that-is-no-secret"

// StartSentinels starts a master, a replica and three sentinels. It returns when a failover is
// possible.
func StartSentinels(t testing.TB) *Sentinels {
	t.Helper()
	master := StartServer(t)
	host, port, _ := strings.Cut(master.Addr, ":")
	all := &Sentinels{Servers: []*Server{master, StartServer(t, "--replicaof", host, port)}}
	master.eventually(func() bool { return master.info("replication", "state=online") }, "the replica is in sync")
	var addrs []string
	for range 3 {
		file := filepath.Join(t.TempDir(), "sentinel.conf")
		require.NoError(t, os.WriteFile(file, []byte(strings.Join([]string{
			"requirepass " + SentinelPassword, "sentinel sentinel-pass " + SentinelPassword,
			"sentinel monitor main " + host + " " + port + " 2",
			"sentinel down-after-milliseconds main 1000", "sentinel failover-timeout main 6000", "sentinel parallel-syncs main 1",
		}, "\n")), 0o600))
		port := freePorts(t, 1)[0]
		s := &Server{Addr: "127.0.0.1:" + port, t: t, args: []string{file, "--port", port, "--bind", "127.0.0.1", "--sentinel"}}
		s.client = redis.NewClient(&redis.Options{Addr: s.Addr, Password: SentinelPassword, MaxRetries: -1, DialerRetries: 1})
		t.Cleanup(func() { _ = s.client.Close() })
		s.Start()
		t.Cleanup(s.Kill)
		all.Sentinels, addrs = append(all.Sentinels, s), append(addrs, s.Addr)
	}
	all.URL = "redis://:" + SentinelPassword + "@" + addrs[0] + "/0?master_name=main&addr=" + strings.Join(addrs[1:], "&addr=")
	for _, s := range all.Sentinels {
		s.eventually(func() bool { return s.info("sentinel", "slaves=1,sentinels=3") }, "the sentinels know each other")
	}
	return all
}

// Master returns the server that the sentinels name as the master, or nil.
func (s *Sentinels) Master() *Server {
	for _, sentinel := range s.Sentinels {
		reply, err := sentinel.Try("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "main")
		if addr, ok := reply.([]any); ok && err == nil && len(addr) == 2 {
			for _, server := range s.Servers {
				if server.Addr == fmt.Sprintf("%v:%v", addr...) {
					return server
				}
			}
		}
	}
	return nil
}

// Calls returns how often this server ran a command, such as client|tracking.
func (s *Server) Calls(command string) int {
	s.t.Helper()
	_, stats, _ := strings.Cut(fmt.Sprint(s.Do("INFO", "commandstats")), "cmdstat_"+command+":calls=")
	text, _, _ := strings.Cut(stats, ",")
	calls, _ := strconv.Atoi(text)
	return calls
}
