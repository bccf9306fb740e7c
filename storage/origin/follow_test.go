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
		for _, request := range requests {
			t.Run(fmt.Sprintf("%s %d", request.name, status), func(t *testing.T) {
				var seen []*http.Request
				object := newSource(t, func(w http.ResponseWriter, r *http.Request) {
					seen = append(seen, r)
					serveContent(w, r)
				})
				first := newSource(t, func(w http.ResponseWriter, r *http.Request) {
					seen = append(seen, r)
					http.SetCookie(w, &http.Cookie{Name: "session", Value: "SECRET"})
					redirectTo(status, object.URL+"/object?"+secret)(w, r)
				})
				body, err := request.send(testContext(t), newClient(t, nil), first.URL+"/start?"+secret)
				require.NoError(t, err)
				require.NoError(t, body.Close())
				header := http.Header{"Accept": {"*/*"}, "Accept-Encoding": {"identity"}, "User-Agent": {"cloud-mirror/1"}}
				if request.name == "GetRange" {
					header.Set("Range", "bytes=2-4")
				} else {
					want := []origin.Hop{{Host: first.Listener.Addr().String(), Status: status}, {Host: object.Listener.Addr().String(), Status: 200}}
					assert.Equal(t, want, body.Meta().Addresses)
				}
				require.Len(t, seen, 2)
				for i, uri := range []string{"/start?" + secret, "/object?" + secret} {
					assert.Equal(t, http.MethodGet, seen[i].Method)
					assert.Equal(t, uri, seen[i].RequestURI)
					assert.Equal(t, header, seen[i].Header, "no Referer, Cookie or precondition, and nothing else")
				}
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
		{"a host with a trailing dot", "DOTTED/a", "/a"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got string
			var server *source
			server = newSource(t, func(w http.ResponseWriter, r *http.Request) {
				if r.RequestURI == "/a/b?"+secret {
					host := "//" + server.Listener.Addr().String()
					redirectTo(302, strings.NewReplacer("ABSOLUTE", "HTTP:"+host, "NETWORK", host, "DOTTED", "http:"+strings.Replace(host, "127.0.0.1", "127.0.0.1.", 1)).Replace(tt.location))(w, r)
					return
				}
				got = r.RequestURI
			})
			_, err := describe(t, newClient(t, nil), server.URL+"/a/b?"+secret)
			require.NoError(t, err)
			assert.Equal(t, tt.want, got)
		})
	}
}

func TestDisallowedRedirects(t *testing.T) {
	canary := newSource(t, serveContent)
	guarded := newSourceOn(t, "127.0.0.2", serveContent)
	for _, tt := range []struct {
		name, location string
		class          origin.Class
		text           string
	}{
		{"a path outside the list", canary.URL + "/private?" + secret, origin.ClassInvalidURL, "redirect is not allowed: host 127.0.0.1"},
		{"an address that may not be dialled", guarded.URL + "/public?" + secret, origin.ClassInvalidURL, "resolves to an address that is not allowed"},
		{"another scheme", "file:///public?" + secret, origin.ClassInvalidURL, "redirect is not allowed: url is not an absolute http or https url"},
		{"another scheme with a bare %", "file:///public%zz?" + secret, origin.ClassMalformed, "redirect to a url that is not valid"},
		{"userinfo", strings.Replace(canary.URL, "//", "//user:SECRET@", 1) + "/public", origin.ClassInvalidURL, "redirect is not allowed: url holds a user name"},
		{"userinfo without a scheme", "//user:SECRET@h/public", origin.ClassInvalidURL, "redirect is not allowed: url holds a user name"},
		{"an ipv6 zone", "http://[::1%25x.allowed.example]/public?" + secret, origin.ClassInvalidURL, "redirect is not allowed: url has an ipv6 address"},
		{"a label above 63 bytes", "http://" + strings.Repeat("a", 64) + "/public?" + secret, origin.ClassInvalidURL, "redirect is not allowed: url has a host with a label"},
		{"an unparsable url", "http://[::1/public?" + secret, origin.ClassMalformed, "redirect to a url that is not valid"},
		{"a port that is no number", "http://h:SECRET/public", origin.ClassMalformed, "redirect to a url that is not valid"},
		{"a bare % in a path", "/public%zz?" + secret, origin.ClassMalformed, "redirect to a url that is not valid"},
		{"a bare % at the end of a relative path", "public%", origin.ClassMalformed, "redirect to a url that is not valid"},
		{"a bare % in an absolute url", canary.URL + "/public/100%?" + secret, origin.ClassMalformed, "redirect to a url that is not valid"},
	} {
		for _, request := range requests {
			t.Run(tt.name+", "+request.name, func(t *testing.T) {
				first := newSource(t, redirectTo(302, tt.location))
				client := newClient(t, func(cfg *origin.Config) {
					cfg.Allowed = []string{"http://127.0.0.1:*/public", "http://127.0.0.2:*/public", "http://localhost:*/public"}
				})
				_, err := request.send(testContext(t), client, first.URL+"/public?"+secret)
				class, permanent := tt.class, true
				if request.name == "GetRange" {
					class, permanent = origin.ClassRangeRefused, false // The plain GET decides
				}
				failure := requireFailure(t, err, class, permanent)
				assert.Contains(t, failure.Error(), tt.text)
				require.NotErrorIs(t, err, origin.ErrBareEscape, "the client's own URL has none")
				assert.EqualValues(t, 1, first.hits.Load())
			})
		}
	}
	assert.Zero(t, canary.hits.Load())
	assert.Zero(t, guarded.hits.Load())

	_, err := describe(t, newClient(t, nil), newSource(t, redirectTo(302, canary.URL+"/private")).URL+"/")
	require.NoError(t, err, "positive control")
	assert.EqualValues(t, 1, canary.hits.Load())
}

// TestRangesOfADisallowedURLAreNotRefusals: the policy judges the URL itself, before any request.
func TestRangesOfADisallowedURLAreNotRefusals(t *testing.T) {
	_, err := newClient(t, nil).GetRange(testContext(t), "http://elsewhere.example/?"+secret, contentMeta, 2, 3)
	requireFailure(t, err, origin.ClassInvalidURL, true)
}

func TestEnsureSSLAppliesToEveryHop(t *testing.T) {
	canary := newSource(t, func(http.ResponseWriter, *http.Request) {})
	first := newTLSSource(t, redirectTo(302, canary.URL+"/?"+secret))
	for _, ssl := range []bool{true, false} {
		t.Run(fmt.Sprint(ssl), func(t *testing.T) {
			client := newClient(t, func(cfg *origin.Config) { cfg.EnsureSSL = ssl })
			_, err := describe(t, client, first.URL+"/")
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
			_, err := describe(t, client, tt.url+"?"+secret)
			if tt.hits == 0 {
				require.NoError(t, err)
				return
			}
			requireFailure(t, err, origin.ClassTooManyRedirects, true)
			assert.Equal(t, tt.hits, chain.hits.Load()+loop.hits.Load()+selfLoop.hits.Load())
			_, err = client.GetRange(testContext(t), tt.url+"?"+secret, contentMeta, 2, 3)
			requireFailure(t, err, origin.ClassRangeRefused, false)
		})
	}
}

func TestCancelledRequestReturnsTheContextError(t *testing.T) {
	for _, request := range requests {
		t.Run(request.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(testContext(t))
			silent := newSource(t, func(_ http.ResponseWriter, r *http.Request) {
				cancel()
				<-r.Context().Done()
			})
			_, err := request.send(ctx, newClient(t, nil), silent.URL+"/?"+secret)
			require.ErrorIs(t, err, context.Canceled)
			var failure *origin.Error
			assert.NotErrorAs(t, err, &failure)
			requireNoSecret(t, err)
		})
	}
}
