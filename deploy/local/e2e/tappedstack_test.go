package e2e

import (
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/proxy"
)

// faultyProxy forwards to a dependency. Tests can make it fail.
type faultyProxy struct {
	*proxy.Proxy
	t *testing.T
}

func newFaultyProxy(t *testing.T, server proxy.Server, name, upstream string) faultyProxy {
	t.Helper()
	p, err := server.New(name, upstream)
	require.NoError(t, err)
	t.Cleanup(p.Close)
	return faultyProxy{p, t}
}

// Ways in which a dependency fails.
const (
	refuse = proxy.Refuse
	hang   = proxy.Hang
	slow   = proxy.Slow
	cut    = proxy.Cut
)

func ways() []proxy.Way { return []proxy.Way{refuse, hang, slow, cut} }

// fail makes the proxy fail in one way. Open connections fail as well.
func (p faultyProxy) fail(way proxy.Way) {
	p.t.Helper()
	require.NoError(p.t, p.Fail(way))
}

// restore ends the failure.
func (p faultyProxy) restore() {
	p.t.Helper()
	require.NoError(p.t, p.Restore(p.t.Context()))
}

// tappedStack is a front end and a worker that reach all other parts through proxies. Its source is
// behind a proxy as well.
type tappedStack struct {
	t                                *testing.T
	redis, sqs, temporal, s3, origin faultyProxy
	heads                            *s3Proxy // Behind the proxy s3, to count HEADs
	worker, frontEnd                 *process
	impatient                        *process // A front end whose timeout for redis is impatience
	source                           *source
}

// impatience is the product's default timeout for redis. A front end that has it is used only
// where redis fails: a busy machine exceeds it now and then. It is far below the latency of a slow
// redis. A process that was not scheduled in time still gets a late answer.
const impatience = 50 * time.Millisecond

// startTappedStack starts a tappedStack, whose worker has these variables as well. Until the test
// ends, it replaces all workers of the stack.
func startTappedStack(t *testing.T, variables ...string) *tappedStack {
	t.Helper()
	// The audit runs after the clean-up below, and before that of the source and its proxy.
	server, source := proxy.NewServer(), newUnauditedSource(t, 1000, nil)
	origin := newFaultyProxy(t, server, "origin", source.Listener.Addr().String())
	source.hosts = append(source.hosts, origin.Addr())
	source.auditAtEnd(t)
	for _, w := range workers() {
		pause(t, w)
	}
	host := func(address string) string {
		u, err := url.Parse(address)
		require.NoError(t, err)
		return u.Host
	}
	s := &tappedStack{t: t, heads: newS3Proxy(t, west), source: source, origin: origin}
	s.redis = newFaultyProxy(t, server, "redis", sys.RedisAddr())
	s.sqs = newFaultyProxy(t, server, "sqs", host(sys.SQSEndpoint()))
	s.temporal = newFaultyProxy(t, server, "temporal", sys.TemporalAddress())
	s.s3 = newFaultyProxy(t, server, "s3", host(s.heads.URL))
	config := editedConfig(t, func(c settingsTree) {
		c.set(t, "redis.url", "redis://"+s.redis.Addr()+"/0")
		c.set(t, "sqs.endpoint", "http://"+s.sqs.Addr())
		c.setEndpoint(t, west, "http://"+s.s3.Addr())
	})
	s.worker = startProcess(t, "tapped-worker", sys.Binary(), strings.Fields("worker --pool s3_"+west+" --config "+config),
		append(variables, "TEMPORAL_ADDRESS="+s.temporal.Addr())...)
	// The near cache would hide an outage of redis, so it holds no entries.
	args := strings.Fields("frontend --config " + config)
	s.frontEnd = startProcess(t, "tapped-frontend", sys.Binary(), args, "CLOUD_MIRROR_FRONTEND_CACHE_ENTRIES=0")
	s.impatient = startProcess(t, "impatient-frontend", sys.Binary(), args,
		"CLOUD_MIRROR_FRONTEND_CACHE_ENTRIES=0", "CLOUD_MIRROR_REDIS_TIMEOUT="+impatience.String())
	return s
}

// object returns a new URL of the source, through its proxy.
func (s *tappedStack) object() string {
	return strings.Replace(s.source.object(), s.source.URL, "http://"+s.origin.Addr(), 1)
}

// ask requests an object from the tapped front end.
func (s *tappedStack) ask(object, query string) answer {
	s.t.Helper()
	return do(s.t, "GET", s.frontEnd.redirectURL(west, object, query), "")
}

// status returns an object's status from the stack's own front end. It requests no copy.
func (s *tappedStack) status(object string) string {
	s.t.Helper()
	return statusOf(s.t, 0, object).Status
}

// leadsToCopy reports whether an answer redirects to the object's copy, through the proxy of S3.
func (s *tappedStack) leadsToCopy(a answer, object string) bool {
	return a.status == 302 && a.isCopy() && strings.HasPrefix(a.location, "http://"+s.s3.Addr()+"/") && strings.Contains(a.location, hashOf(object))
}

// freeze suspends a process: signal sends it a signal. thaw resumes the process.
func freeze(t *testing.T, signal func(syscall.Signal)) (thaw func()) {
	t.Helper()
	signal(syscall.SIGSTOP)
	frozen := true
	thaw = func() {
		if frozen {
			signal(syscall.SIGCONT)
		}
		frozen = false
	}
	t.Cleanup(thaw)
	return thaw
}
