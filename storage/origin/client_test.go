package origin_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

func TestNewRejectsInvalidConfig(t *testing.T) {
	fine := []string{"https://a/"}
	for _, tt := range []struct {
		name string
		cfg  origin.Config
		want string
	}{
		{"no source", origin.Config{}, "no allowed source"},
		{"an empty entry", origin.Config{Allowed: []string{"https://a/", ""}}, `allowed source "" is empty`},
		{"an invalid allowed network", origin.Config{Allowed: fine, AllowedNetworks: []netip.Prefix{{}}}, "an allowed network is invalid"},
		{"an address with the bits of a network", origin.Config{Allowed: fine, AllowedNetworks: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/8")}}, "an allowed network is 10.0.0.1/8, which has bits behind its mask: write 10.0.0.0/8"},
		{"an invalid denied network", origin.Config{Allowed: fine, DeniedNetworks: []netip.Prefix{{}}}, "a denied network is invalid"},
		{"a service without a port", origin.Config{Allowed: fine, Services: []string{"redis.internal"}}, "service \"redis.internal\" has no port"},
		{"a service that is no host", origin.Config{Allowed: fine, Services: []string{"redis://a:1"}}, "service \"redis://a:1\" is not a host"},
		{"a negative limit", origin.Config{Allowed: fine, RedirectLimit: -1}, "negative"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := origin.New(tt.cfg)
			assert.ErrorContains(t, err, tt.want)
		})
	}
}

func TestCheck(t *testing.T) {
	for _, tt := range []struct {
		name, url string
		ssl, ok   bool
	}{
		{name: "a url that an entry allows", url: "https://good.example/a", ok: true},
		{name: "any entry may allow it", url: "http://other.example/a?b", ok: true},
		{name: "another host", url: "https://bad.example/?SECRET"},
		{name: "an allowed url in another url's query", url: "https://bad.example/?SECRET=https://good.example/"},
		{name: "an allowed host as a prefix of another host", url: "https://good.example.bad.example/?SECRET"},
		{name: "another port", url: "https://good.example:8443/?SECRET"},
		{name: "https under EnsureSSL", url: "https://good.example/a", ssl: true, ok: true},
		{name: "http under EnsureSSL", url: "http://other.example/?SECRET", ssl: true},
		{name: "an allowed url that is not canonical", url: "https://good.example/ SECRET"},
		{name: "an allowed host with a trailing dot, not canonical", url: "https://good.example./SECRET"},
		{name: "not a url", url: "SECRET"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			client, err := origin.New(origin.Config{
				Allowed: []string{"https://good.example/", "http://other.example/", "https://other.example/"}, EnsureSSL: tt.ssl,
			})
			require.NoError(t, err)
			requireAllowed(t, client, tt.url, tt.ok)
		})
	}
}

func TestDialGuard(t *testing.T) {
	var canary *source
	port := func(*testing.T) string {
		_, p, _ := strings.Cut(canary.Listener.Addr().String(), ":")
		return p
	}
	for _, tt := range []struct {
		name     string
		host     string
		networks []string
		denied   string
		ok       bool
	}{
		{name: "loopback is refused", host: "127.0.0.1"},
		{name: "a name of loopback is refused", host: "localhost"},
		{name: "the unspecified address is refused", host: "0.0.0.0"},
		{name: "an ipv4-mapped loopback is refused", host: "[::ffff:127.0.0.1]"},
		{name: "loopback is refused if other networks are allowed", host: "127.0.0.1", networks: []string{"10.0.0.0/8", "127.0.0.2/32"}},
		{name: "allowing all of ipv6 does not allow ipv4", host: "[::ffff:127.0.0.1]", networks: []string{"::/0"}},
		{name: "loopback is dialled if allowed", host: "127.0.0.1", networks: []string{"127.0.0.0/8"}, ok: true},
		{name: "a name of loopback is dialled if allowed", host: "localhost", networks: []string{"127.0.0.0/8", "::1/128"}, ok: true},
		{name: "an ipv4-mapped loopback is dialled if allowed", host: "[::ffff:127.0.0.1]", networks: []string{"127.0.0.0/8"}, ok: true},
		{name: "an ipv4-mapped network is an ipv4 network", host: "127.0.0.1", networks: []string{"::ffff:127.0.0.0/104"}, ok: true},
		{name: "a denied network wins", host: "127.0.0.1", networks: []string{"127.0.0.0/8", "127.0.0.1/32"}, denied: "127.0.0.0/31"},
		{name: "a name in a denied network", host: "localhost", networks: []string{"127.0.0.0/8", "::1/128"}, denied: "::ffff:127.0.0.0/104"},
		{name: "another network is denied", host: "127.0.0.1", networks: []string{"127.0.0.0/8"}, denied: "127.0.0.2/31", ok: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			canary = newSource(t, func(http.ResponseWriter, *http.Request) {})
			url, err := origin.Canonical("http://" + tt.host + ":" + port(t) + "/?" + secret)
			require.NoError(t, err)
			client := newClient(t, func(cfg *origin.Config) {
				cfg.Allowed, cfg.AllowedNetworks = []string{strings.TrimSuffix(url, "?"+secret)}, nil
				for _, n := range tt.networks {
					cfg.AllowedNetworks = append(cfg.AllowedNetworks, netip.MustParsePrefix(n))
				}
				if tt.denied != "" {
					cfg.DeniedNetworks = []netip.Prefix{netip.MustParsePrefix(tt.denied)}
				}
			})
			_, err = describe(t, client, url)
			if tt.ok {
				require.NoError(t, err)
				assert.EqualValues(t, 1, canary.hits.Load())
				return
			}
			failure := requireFailure(t, err, origin.ClassInvalidURL, true)
			assert.Contains(t, failure.Error(), "resolves to an address that is not allowed")
			assert.Zero(t, canary.hits.Load())
		})
	}
}

// TestDialGuardAgainstUnusualAddresses uses hosts that some resolvers read as 127.0.0.1, and others
// as names that do not exist. No request may get out either way.
func TestDialGuardAgainstUnusualAddresses(t *testing.T) {
	canary := newSource(t, func(http.ResponseWriter, *http.Request) {})
	port := canary.Listener.Addr().String()[len("127.0.0.1:"):]
	for _, host := range []string{"2130706433", "0x7f000001", "0177.0.0.1", "127.1", "[::1]", "[::]", "[64:ff9b::7f00:1]", "169.254.169.254"} {
		t.Run(host, func(t *testing.T) {
			url, err := origin.Canonical("http://" + host + ":" + port + "/?" + secret)
			require.NoError(t, err)
			client := newClient(t, func(cfg *origin.Config) {
				cfg.Allowed, cfg.AllowedNetworks, cfg.Timeout = []string{"http://" + host + ":" + port + "/"}, nil, time.Second
			})
			_, err = describe(t, client, url)
			var failure *origin.Error
			require.ErrorAs(t, err, &failure)
			assert.Contains(t, []origin.Class{origin.ClassInvalidURL, origin.ClassUnreachable}, failure.Class)
			requireNoSecret(t, err)
		})
	}
	assert.Zero(t, canary.hits.Load())
	_, err := describe(t, newClient(t, nil), canary.URL+"/")
	require.NoError(t, err, "positive control")
	assert.EqualValues(t, 1, canary.hits.Load())
}

// TestServicesGetNoConnection has clients and sources name a server of this mirror.
func TestServicesGetNoConnection(t *testing.T) {
	var connections atomic.Int64
	redis, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer redis.Close()
	go func() {
		for {
			c, err := redis.Accept()
			if err != nil {
				return
			}
			connections.Add(1)
			_ = c.Close()
		}
	}()
	_, port, err := net.SplitHostPort(redis.Addr().String())
	require.NoError(t, err)
	for _, host := range []string{"127.0.0.1", "localhost"} {
		target := "http://" + host + ":" + port + "/?" + secret
		first := newSource(t, redirectTo(http.StatusFound, target))
		for _, service := range []string{"127.0.0.1:" + port, "localhost:" + port, "LOCALHOST.:" + port, "[::1]:" + port} {
			client := newClient(t, func(cfg *origin.Config) {
				cfg.Allowed, cfg.Services = append(cfg.Allowed, "http://localhost:*/"), []string{service}
				cfg.AllowedNetworks = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
			})
			_, err := describe(t, client, target)
			failure := requireFailure(t, err, origin.ClassInvalidURL, true)
			assert.Contains(t, failure.Error(), "leads to a server of this mirror")
			_, err = describe(t, client, first.URL+"/")
			failure = requireFailure(t, err, origin.ClassInvalidURL, true)
			assert.Contains(t, failure.Error(), "redirect is not allowed: host "+host+":"+port+": url leads to a server of this mirror")
		}
	}
	require.Zero(t, connections.Load())
	_, err = describe(t, newClient(t, nil), "http://127.0.0.1:"+port+"/")
	requireFailure(t, err, origin.ClassUnreachable, false)
	require.EqualValues(t, 1, connections.Load(), "control")
}

// TestEnvironmentProxyIsIgnored requests 192.0.2.1, which is never routed: only a proxy could
// respond for it. TestMain has put one into the environment.
func TestEnvironmentProxyIsIgnored(t *testing.T) {
	const url = "http://192.0.2.1/"
	client := newClient(t, func(cfg *origin.Config) { cfg.Allowed = []string{url} })
	_, err := describe(t, client, url)
	requireFailure(t, err, origin.ClassInvalidURL, true)

	req, err := http.NewRequestWithContext(testContext(t), http.MethodHead, url, nil)
	require.NoError(t, err)
	resp, err := (&http.Transport{Proxy: http.ProxyFromEnvironment}).RoundTrip(req)
	require.NoError(t, err, "positive control")
	require.NoError(t, resp.Body.Close())
	assert.Equal(t, http.StatusTeapot, resp.StatusCode, "positive control")
}

// TestUnreachable: a request without a response is tried again. A range without a response is
// refused.
func TestUnreachable(t *testing.T) {
	silent := newSource(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	plain := newSource(t, nil)
	// An open connection holds this port, so no other server gets it and nothing listens on it.
	taken, err := net.Dial("tcp", silent.Listener.Addr().String())
	require.NoError(t, err)
	defer func() { _ = taken.Close() }()
	for _, tt := range []struct{ name, url, text string }{
		{"connection refused", "http://" + taken.LocalAddr().String(), "can't be reached: connection refused"},
		{"no response in time", silent.URL, "no response from host"},
		{"a name that does not exist", "http://does-not-exist.invalid", "can't be resolved"},
		{"a plain http server on https", strings.Replace(plain.URL, "http:", "https:", 1), "does not respond in http"},
		{"a reset before any byte", newRawSource(t, true, ""), "can't be reached: connection reset by peer"},
		{"an empty reply", newRawSource(t, false, ""), "does not respond in http"},
		{"a head cut short", newRawSource(t, false, "HTTP/1.1 200 OK\r\nA: SECRET"), "does not respond in http"},
		{"a head that is reset", newRawSource(t, true, "HTTP/1.1 200 OK\r\nA: SECRET\r\n"), "does not respond in http"},
	} {
		for _, request := range requests {
			t.Run(tt.name+", "+request.name, func(t *testing.T) {
				client := newClient(t, func(cfg *origin.Config) {
					cfg.Allowed, cfg.Timeout = append(cfg.Allowed, "http://does-not-exist.invalid/"), time.Second
				})
				base, _, _ := strings.Cut(tt.url, "/object")
				_, err := request.send(testContext(t), client, base+"/?"+secret)
				class := origin.ClassUnreachable
				if request.name == "GetRange" {
					class = origin.ClassRangeRefused
				}
				failure := requireFailure(t, err, class, false)
				assert.Contains(t, failure.Error(), tt.text)
				assert.False(t, failure.Crowded, "no other request is in flight")
				assert.Zero(t, failure.Status)
			})
		}
	}
}

// TestMalformedResponses: a response that no client can read is tried again, because it may have
// been cut on its way. In response to a range it says nothing about the object.
func TestMalformedResponses(t *testing.T) {
	const long = 20 << 10
	for _, tt := range []struct {
		name, answer string
		ok           bool // readable, as the positive control of a case
	}{
		{"a response that echoes the query is not quoted", "GET /?" + secret + "\r\n\r\n", false},
		{"not http", "SECRET\n", false},
		{"a status that is no number", "HTTP/1.1 2x0 SECRET\r\nContent-Length: 0\r\n\r\n", false},
		{"a header line without a colon", "HTTP/1.1 200 OK\r\nSECRET\r\nContent-Length: 0\r\n\r\n", false},
		{"a head above 64 KiB", "HTTP/1.1 200 OK\r\nA: " + strings.Repeat("SECRET", long) + "\r\n\r\n", false},
		{"a head above 64 KiB of many lines", "HTTP/1.1 200 OK\r\n" + strings.Repeat("A: SECRET\r\n", long) + "\r\n", false},
		{"a head of 60 KiB", "HTTP/1.1 200 OK\r\nA: " + strings.Repeat("SECRET", 10<<10) + "\r\nContent-Length: 0\r\n\r\n", true},
		{"a list of lengths", "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n01234", false},
		{"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n01234", false},
		{"the same length twice", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n01234", true},
		{"a negative length", "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n01234", false},
		{"an unknown transfer coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: SECRET\r\n\r\n01234", false},
		{"two lengths of an error", "HTTP/1.1 404 No\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n01234", false},
	} {
		for _, request := range requests {
			t.Run(tt.name+", "+request.name, func(t *testing.T) {
				body, err := request.send(testContext(t), newClient(t, nil), newRawSource(t, false, tt.answer))
				switch {
				case request.name == "GetRange" && tt.ok:
					assert.Equal(t, 200, requireFailure(t, err, origin.ClassRangeRefused, false).Status)
				case request.name == "GetRange":
					failure := requireFailure(t, err, origin.ClassRangeRefused, false)
					assert.Contains(t, failure.Error(), "is not valid http")
					assert.False(t, failure.Crowded)
				case tt.ok:
					require.NoError(t, err)
					require.NoError(t, body.Close())
				default:
					failure := requireFailure(t, err, origin.ClassMalformed, false)
					assert.Contains(t, failure.Error(), "is not valid http")
				}
			})
		}
	}
}

func TestCertificateMustBeTrusted(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	client := newClient(t, func(cfg *origin.Config) {
		cfg.Allowed = []string{"https://127.0.0.1:*/", "https://localhost:*/"}
		cfg.AllowedNetworks = append(cfg.AllowedNetworks, netip.MustParsePrefix("::1/128"))
	})
	_, err := describe(t, client, server.URL+"/")
	require.NoError(t, err, "positive control")

	// The certificate is for 127.0.0.1, not for localhost.
	_, port, _ := strings.Cut(server.Listener.Addr().String(), ":")
	url := fmt.Sprintf("https://localhost:%s/?%s", port, secret)
	_, err = describe(t, client, url)
	failure := requireFailure(t, err, origin.ClassUnreachable, false)
	assert.Contains(t, failure.Error(), "certificate")
	_, err = client.GetRange(testContext(t), url, contentMeta, 2, 3)
	failure = requireFailure(t, err, origin.ClassRangeRefused, false)
	assert.Contains(t, failure.Error(), "certificate")
}

func TestUserAgent(t *testing.T) {
	for setting, want := range map[string]string{"": "cloud-mirror/1", "Mozilla/5.0 (cloud-mirror)": "Mozilla/5.0 (cloud-mirror)"} {
		for _, request := range requests {
			t.Run(request.name+" "+setting, func(t *testing.T) {
				var seen []string
				object := newSource(t, func(w http.ResponseWriter, r *http.Request) {
					seen = append(seen, r.UserAgent())
					serveContent(w, r)
				})
				first := newSource(t, func(w http.ResponseWriter, r *http.Request) {
					seen = append(seen, r.UserAgent())
					redirectTo(302, object.URL+"/")(w, r)
				})
				client := newClient(t, func(cfg *origin.Config) { cfg.UserAgent = setting })
				body, err := request.send(testContext(t), client, first.URL+"/")
				require.NoError(t, err)
				require.NoError(t, body.Close())
				assert.Equal(t, []string{want, want}, seen, "at each hop")
			})
		}
	}
}
