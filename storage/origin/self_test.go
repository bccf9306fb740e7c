package origin_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// ownSources allows the URLs of TestOwnHosts that do not lead to the mirror.
var ownSources = []string{
	"https://example.com/", "https://amirror.example.com/", "https://mirror.example.com.evil/", "https://other.example.com/",
	"https://plain.example.com/", "http://[2001:db8::1]/", "http://127.0.0.1:*/", "http://localhost:*/", "http://192.0.2.1:8080/",
	"http://192.0.2.3:9000/",
}

// TestOwnHosts checks which URLs lead to the mirror itself.
func TestOwnHosts(t *testing.T) {
	ownNames := []string{"Mirror.example.com", "other.example.com:8443", "plain.example.com:80", "[2001:db8::1]:443"}
	ownAddrs := []netip.AddrPort{
		netip.MustParseAddrPort("[::]:8080"), netip.MustParseAddrPort("192.0.2.1:9000"), netip.MustParseAddrPort("[::ffff:192.0.2.2]:9000"),
	}
	machine := "192.0.2.9" // An address of no machine
	interfaces, err := net.InterfaceAddrs()
	require.NoError(t, err)
	for _, i := range interfaces {
		if prefix, err := netip.ParsePrefix(i.String()); err == nil && prefix.Addr().Is4() && !prefix.Addr().IsLoopback() {
			machine = prefix.Addr().String()
		}
	}
	client, err := origin.New(origin.Config{
		Allowed: append(ownSources, "http://"+machine+":8090/"), OwnNames: ownNames, OwnAddrs: ownAddrs,
	})
	require.NoError(t, err)
	for raw, own := range map[string]bool{
		"https://mirror.example.com/v1/redirect/s3/us-west-2/x": true,
		"http://MIRROR.example.com/":                            true,
		"https://mirror.example.com./":                          true,
		"https://mirror.example.com:1234/":                      true,
		"https://amirror.example.com/":                          false,
		"https://mirror.example.com.evil/":                      false,
		"https://other.example.com:8443/":                       true,
		"https://other.example.com.:8443/":                      true,
		"https://other.example.com/":                            false,
		"http://plain.example.com/":                             true,
		"https://plain.example.com/":                            false,
		"https://[2001:db8:0::1]/":                              true,
		"http://[2001:db8::1]/":                                 false,
		"http://127.0.0.1:8080/":                                true,
		"http://127.1.2.3:8080/":                                true,
		"http://[::1]:8080/":                                    true,
		"http://[::ffff:127.0.0.1]:8080/":                       true,
		"http://0.0.0.0:8080/":                                  true,
		"http://localhost:8080/":                                true,
		"http://LOCALHOST.:8080/":                               true,
		"http://a.localhost:8080/":                              true,
		"http://127.0.0.1:8081/":                                false,
		"http://localhost/":                                     false,
		"http://192.0.2.1:9000/":                                true,
		"http://192.0.2.2:9000/":                                true,
		"http://192.0.2.1:8080/":                                false,
		"http://192.0.2.3:9000/":                                false,
		"http://" + machine + ":8080/":                          machine != "192.0.2.9",
		"http://" + machine + ":8090/":                          false,
		// The URL of this mirror is in the path, as data of another host.
		"https://example.com/" + url.QueryEscape("https://mirror.example.com/x"): false,
	} {
		t.Run(raw, func(t *testing.T) {
			_, err := client.Admit(raw)
			if !own {
				require.NoError(t, err)
				return
			}
			var refusal *origin.Error
			require.ErrorAs(t, err, &refusal)
			require.Equal(t, origin.ClassInvalidURL, refusal.Class)
			require.True(t, refusal.Permanent)
			require.Contains(t, refusal.Text, "leads to this mirror itself")
		})
	}
}

func TestOwnNamesThatAreNoHosts(t *testing.T) {
	for _, name := range []string{"", "https://mirror.example.com", "mirror.example.com/", "a@b", "mirror.example.com:0", "a b", "[::1", "*.example.com"} {
		_, err := origin.New(origin.Config{Allowed: []string{"https://example.com/"}, OwnNames: []string{name}})
		require.Error(t, err, name)
	}
}

// TestOwnHops has a source redirect to this mirror.
func TestOwnHops(t *testing.T) {
	var visits atomic.Int64
	own := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { visits.Add(1) }))
	defer own.Close()
	ownAddr := netip.MustParseAddrPort(own.Listener.Addr().String())
	for name, location := range map[string]string{
		"redirect":            own.URL + "/v1/redirect/s3/us-west-2/x",
		"redirect by a name":  "http://public.example.com/",
		"scheme-relative URL": "//" + ownAddr.String() + "/",
	} {
		t.Run(name, func(t *testing.T) {
			source := httptest.NewServer(http.RedirectHandler(location, http.StatusFound))
			defer source.Close()
			client := newClient(t, func(c *origin.Config) {
				c.Allowed = append(c.Allowed, "http://public.example.com/")
				c.OwnNames, c.OwnAddrs = []string{"public.example.com"}, []netip.AddrPort{ownAddr}
			})
			_, err := client.First(testContext(t), source.URL+"/")
			var refusal *origin.Error
			require.ErrorAs(t, err, &refusal)
			require.Equal(t, origin.ClassInvalidURL, refusal.Class)
			require.Contains(t, refusal.Text, "leads to this mirror itself")
			require.Zero(t, visits.Load())
		})
	}
	control := newClient(t, nil)
	body, err := control.First(testContext(t), own.URL+"/")
	require.NoError(t, err)
	body.Close()
	require.EqualValues(t, 1, visits.Load(), "control")
}

// TestLoopIDOnEveryHop checks the CDN-Loop of requests.
func TestLoopIDOnEveryHop(t *testing.T) {
	for id, want := range map[string][]string{"cloud-mirror-test": {"cloud-mirror-test"}, "": nil} {
		var seen atomic.Int64
		source := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			seen.Add(1)
			if got := r.Header["Cdn-Loop"]; len(got) != len(want) || len(got) > 0 && got[0] != want[0] {
				t.Errorf("CDN-Loop is %v", got)
			}
			if r.URL.Path == "/" {
				http.Redirect(w, r, "/next", http.StatusFound)
			}
		}))
		client := newClient(t, func(c *origin.Config) { c.LoopID = id })
		body, err := client.First(testContext(t), source.URL+"/")
		require.NoError(t, err)
		body.Close()
		require.EqualValues(t, 2, seen.Load())
		source.Close()
	}
}
