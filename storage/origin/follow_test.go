package origin_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// redirectTo responds with an unchanged Location: http.Redirect would clean it.
func redirectTo(status int, location string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", location)
		w.WriteHeader(status)
	}
}

func TestRedirectsAreFollowed(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, method := range []string{http.MethodHead, http.MethodGet} {
			t.Run(fmt.Sprintf("%s %d", method, status), func(t *testing.T) {
				var seen *http.Request
				object := newSource(t, func(w http.ResponseWriter, r *http.Request) {
					seen = r
					w.Header().Set("Content-Length", "0")
				})
				first := newSource(t, func(w http.ResponseWriter, _ *http.Request) {
					http.SetCookie(w, &http.Cookie{Name: "session", Value: "SECRET"})
					redirectTo(status, object.URL+"/object?"+secret)(w, nil)
				})
				client, url := newClient(t, nil), first.URL+"/start?"+secret
				if method == http.MethodHead {
					meta, err := client.Head(testContext(t), url)
					require.NoError(t, err)
					want := []origin.Hop{{Host: first.Listener.Addr().String(), Status: status}, {Host: object.Listener.Addr().String(), Status: 200}}
					assert.Equal(t, want, meta.Addresses)
				} else {
					body, err := client.Get(testContext(t), url, origin.Meta{})
					require.NoError(t, err)
					require.NoError(t, body.Close())
				}
				assert.Equal(t, method, seen.Method)
				assert.Equal(t, "/object?"+secret, seen.RequestURI)
				assert.Equal(t, http.Header{"Accept": {"*/*"}, "Accept-Encoding": {"identity"}, "User-Agent": {"cloud-mirror/1"}}, seen.Header,
					"neither Referer nor Cookie, and nothing else")
			})
		}
	}
}

func TestLocationIsResolved(t *testing.T) {
	for _, tt := range []struct{ name, location, want string }{
		{"a path", "/other?q", "/other?q"},
		{"a relative path", "../c%2Fd e", "/c%2Fd%20e"},
		{"a query", "?q=%zz", "/a/b?q=%zz"},
		{"a fragment is dropped", "/other#%zz", "/other"},
		{"bytes outside ascii", "/\xc3\xa9%2F", "/%C3%A9%2F"},
		{"a backslash does not start a host", `/\evil.example/`, "/%5Cevil.example/"},
		{"an absolute url is kept byte for byte", "ABSOLUTE//a/../b%2f?c%", "//a/../b%2f?c%"},
		{"a host without a scheme", "NETWORK/a%2Fb", "/a%2Fb"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got string
			var server *source
			server = newSource(t, func(w http.ResponseWriter, r *http.Request) {
				if r.RequestURI == "/a/b?"+secret {
					host := "//" + server.Listener.Addr().String()
					redirectTo(302, strings.NewReplacer("ABSOLUTE", "HTTP:"+host, "NETWORK", host).Replace(tt.location))(w, r)
					return
				}
				got = r.RequestURI
			})
			_, err := newClient(t, nil).Head(testContext(t), server.URL+"/a/b?"+secret)
			require.NoError(t, err)
			assert.Equal(t, tt.want, got)
		})
	}
}

func TestDisallowedRedirects(t *testing.T) {
	canary := newSource(t, func(http.ResponseWriter, *http.Request) {})
	guarded := newSourceOn(t, "127.0.0.2", func(http.ResponseWriter, *http.Request) {})
	for _, tt := range []struct{ name, location, text string }{
		{"a host outside the patterns", canary.URL + "/private?" + secret, "redirect is not allowed: host 127.0.0.1"},
		{"an address that may not be dialled", guarded.URL + "/public?" + secret, "resolves to an address that is not allowed"},
		{"another scheme", "file:///public?" + secret, "invalid url"},
		{"userinfo", strings.Replace(canary.URL, "//", "//user:SECRET@", 1) + "/public", "invalid url"},
		{"an ipv6 zone", "http://[::1%25x.allowed.example]/public?" + secret, "invalid url"},
		{"an unparsable url", "http://[::1/public?" + secret, "invalid url"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			first := newSource(t, redirectTo(302, tt.location))
			client := newClient(t, func(cfg *origin.Config) { cfg.AllowedPatterns = []string{`http://[^/?]*/public`} })
			_, err := client.Head(testContext(t), first.URL+"/public?"+secret)
			failure := requireFailure(t, err, origin.ClassInvalidURL, true)
			assert.Contains(t, failure.Error(), tt.text)
			assert.EqualValues(t, 1, first.hits.Load())
		})
	}
	assert.Zero(t, canary.hits.Load())
	assert.Zero(t, guarded.hits.Load())

	_, err := newClient(t, nil).Head(testContext(t), newSource(t, redirectTo(302, canary.URL+"/private")).URL+"/")
	require.NoError(t, err, "positive control")
	assert.EqualValues(t, 1, canary.hits.Load())
}

func TestEnsureSSLAppliesToEveryHop(t *testing.T) {
	canary := newSource(t, func(http.ResponseWriter, *http.Request) {})
	first := newTLSSource(t, redirectTo(302, canary.URL+"/?"+secret))
	for _, ssl := range []bool{true, false} {
		t.Run(fmt.Sprint(ssl), func(t *testing.T) {
			client := newClient(t, func(cfg *origin.Config) { cfg.EnsureSSL = ssl })
			_, err := client.Head(testContext(t), first.URL+"/")
			if !ssl {
				require.NoError(t, err, "positive control")
				assert.EqualValues(t, 1, canary.hits.Load())
				return
			}
			requireFailure(t, err, origin.ClassInvalidURL, true)
			assert.Zero(t, canary.hits.Load())
		})
	}
}

func TestRedirectLimit(t *testing.T) {
	// Each hop n redirects to n-1; 0 is the object.
	chain := newSource(t, func(w http.ResponseWriter, r *http.Request) {
		var n int
		_, err := fmt.Sscanf(r.URL.Path, "/%d", &n)
		if err == nil && n > 0 {
			redirectTo(302, fmt.Sprintf("/%d?%s", n-1, secret))(w, r)
		}
	})
	loop := newSource(t, func(w http.ResponseWriter, r *http.Request) {
		redirectTo(302, map[string]string{"/a": "/b?" + secret, "/b": "/a?" + secret}[r.URL.Path])(w, r)
	})
	selfLoop := newSource(t, redirectTo(302, "#"))
	for _, tt := range []struct {
		name, url string
		limit     int
		hits      int64 // 0 means success
	}{
		{"the limit", chain.URL + "/3", 3, 0},
		{"above the limit", chain.URL + "/4", 3, 4},
		{"30 by default", chain.URL + "/30", 0, 0},
		{"31 by default", chain.URL + "/31", 0, 31},
		{"two hops that redirect to each other", loop.URL + "/a", 0, 2},
		{"a hop that redirects to itself", selfLoop.URL + "/", 0, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			chain.hits.Store(0)
			loop.hits.Store(0)
			selfLoop.hits.Store(0)
			client := newClient(t, func(cfg *origin.Config) { cfg.RedirectLimit = tt.limit })
			_, err := client.Head(testContext(t), tt.url+"?"+secret)
			if tt.hits == 0 {
				require.NoError(t, err)
				return
			}
			requireFailure(t, err, origin.ClassTooManyRedirects, true)
			assert.Equal(t, tt.hits, chain.hits.Load()+loop.hits.Load()+selfLoop.hits.Load())
		})
	}
}

func TestCancelledRequestReturnsTheContextError(t *testing.T) {
	ctx, cancel := context.WithCancel(testContext(t))
	silent := newSource(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	_, err := newClient(t, nil).Head(ctx, silent.URL+"/?"+secret)
	require.ErrorIs(t, err, context.Canceled)
	var failure *origin.Error
	assert.NotErrorAs(t, err, &failure)
	requireNoSecret(t, err)
}
