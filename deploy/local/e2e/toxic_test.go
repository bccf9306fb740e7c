package e2e

import (
	"fmt"
	"net/url"
	"strings"
	"syscall"
	"testing"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
)

// toxic is a proxy before a dependency that can be made to fail.
type toxic struct {
	*toxiproxy.Proxy
	t *testing.T
}

func newToxic(t *testing.T, server *toxiproxy.ApiServer, name, upstream string) toxic {
	t.Helper()
	p := toxic{toxiproxy.NewProxy(server, name, "127.0.0.1:0", upstream), t}
	require.NoError(t, p.Start())
	t.Cleanup(p.Stop)
	return p
}

// The ways in which a dependency fails.
const (
	refuse = "refuses connections"
	hang   = "hangs"
	slow   = "is slow by 200 ms"
	cut    = "cuts its replies"
)

func ways() []string { return []string{refuse, hang, slow, cut} }

// fail makes it fail in a way, connections that are open as well.
func (p toxic) fail(way string) {
	p.t.Helper()
	for _, toxic := range map[string][]string{
		hang: {`{"type":"timeout","stream":"downstream","attributes":{"timeout":0}}`, `{"type":"timeout","stream":"upstream","attributes":{"timeout":0}}`},
		slow: {`{"type":"latency","stream":"downstream","attributes":{"latency":200}}`},
		cut:  {`{"type":"limit_data","stream":"downstream","attributes":{"bytes":3}}`},
	}[way] {
		_, err := p.Toxics.AddToxicJson(strings.NewReader(toxic))
		require.NoError(p.t, err)
	}
	if way == refuse {
		p.Stop()
	}
}

func (p toxic) mend() {
	p.t.Helper()
	if !p.Enabled {
		require.NoError(p.t, p.Start()) // on the port that it had
	}
	p.Toxics.ResetToxics(p.t.Context())
}

// outpost is a front end and a worker that reach everything through proxies, and a source behind one.
type outpost struct {
	t                                *testing.T
	redis, sqs, temporal, s3, origin toxic
	heads                            *s3Proxy // behind the proxy of S3, for counting
	worker, frontEnd                 *process
	source                           *source
}

// newOutpost takes the place of all the stack's workers.
func newOutpost(t *testing.T) *outpost {
	t.Helper()
	for _, w := range workers() {
		pause(t, w)
	}
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	host := func(address string) string {
		u, err := url.Parse(address)
		require.NoError(t, err)
		return u.Host
	}
	o := &outpost{t: t, heads: newS3Proxy(t, west), source: newSource(t, 1000, nil)}
	o.redis = newToxic(t, server, "redis", sys.RedisAddr())
	o.sqs = newToxic(t, server, "sqs", host(sys.SQSEndpoint()))
	o.temporal = newToxic(t, server, "temporal", sys.TemporalAddress())
	o.s3 = newToxic(t, server, "s3", host(o.heads.URL))
	o.origin = newToxic(t, server, "origin", host(o.source.URL))
	config := editedConfig(t, func(c settingsTree) {
		c.set(t, "redis.url", "redis://"+o.redis.Listen+"/0")
		c.set(t, "sqs.endpoint", "http://"+o.sqs.Listen)
		c.setEndpoint(t, west, "http://"+o.s3.Listen)
	})
	o.worker = startProcess(t, "outpost-worker", sys.Binary(), strings.Fields("worker --pool s3_"+west+" --config "+config), "TEMPORAL_ADDRESS="+o.temporal.Listen)
	// What a front end keeps in memory would hide that redis is away; the budget of redis is the product's own.
	o.frontEnd = startProcess(t, "outpost-frontend", sys.Binary(), strings.Fields("frontend --config "+config),
		"CLOUD_MIRROR_FRONTEND_CACHE_ENTRIES=0", "CLOUD_MIRROR_REDIS_TIMEOUT=50ms")
	return o
}

// object is a new one of the source.
func (o *outpost) object() string {
	return strings.Replace(o.source.object(), o.source.URL, "http://"+o.origin.Listen, 1)
}

// ask asks the outpost's front end.
func (o *outpost) ask(object, query string) answer {
	o.t.Helper()
	return do(o.t, "GET", fmt.Sprintf("http://%s/v1/redirect/s3/%s/%s%s", o.frontEnd.listen, west, url.QueryEscape(object), query), "")
}

// status asks the stack's own front end, which starts no copy for it.
func (o *outpost) status(object string) string {
	o.t.Helper()
	return do(o.t, "GET", sys.FrontEndURLs()[0]+"/v1/status/s3/"+west+"/"+url.QueryEscape(object), "").body.Status
}

// leadsToCopy tells whether an answer leads to the object's copy, as the outpost sees its bucket.
func (o *outpost) leadsToCopy(a answer, object string) bool {
	return a.status == 302 && a.isCopy() && strings.HasPrefix(a.location, "http://"+o.s3.Listen+"/") && strings.Contains(a.location, hashOf(object))
}

// freeze stops the worker's process, or redis itself, as it is.
func freeze(t *testing.T, stop func(syscall.Signal)) (thaw func()) {
	t.Helper()
	stop(syscall.SIGSTOP)
	frozen := true
	thaw = func() {
		if frozen {
			stop(syscall.SIGCONT)
		}
		frozen = false
	}
	t.Cleanup(thaw)
	return thaw
}
