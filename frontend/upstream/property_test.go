package upstream_test

import (
	"flag"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/frontend/upstream"
)

var seed = flag.Uint64("seed", 0, "of random tests; 0 takes the time")

type upstreamAt struct{ name, url string }

func newSet(t testing.TB, all ...upstreamAt) *upstream.Set {
	t.Helper()
	var options []upstream.Options
	for _, u := range all {
		options = append(options, upstream.Options{Name: u.name, URL: u.url, Insecure: true, Copy: append(upstream.BuiltIn(), `^/x`)})
	}
	s, err := upstream.New(options)
	require.NoError(t, err)
	return s
}

func newRandom(t *testing.T) *rand.Rand {
	n := *seed
	if n == 0 {
		n = uint64(time.Now().UnixNano())
	}
	t.Logf("-seed %d", n)
	return rand.New(rand.NewPCG(n, n))
}

// Characters of a path segment (RFC 3986, section 3.3), and more that a query may hold.
const (
	pathChars  = "abcXYZ019-._~!$&'()*+,;=:@"
	queryChars = pathChars + "/?"
)

// legal returns a random text of the characters and of escapes.
func legal(r *rand.Rand, chars string) string {
	var b strings.Builder
	for range r.IntN(8) {
		if r.IntN(4) == 0 {
			b.WriteString([]string{"%20", "%2F", "%2f", "%C3%A9", "%25", "%3F", "%23", "%5B", "%41", "%2e"}[r.IntN(10)])
		} else {
			b.WriteByte(chars[r.IntN(len(chars))])
		}
	}
	return b.String()
}

// Whatever the form of the target, the source sees the request that a direct client sends.
func TestSourceSeesTheDirectRequest(t *testing.T) {
	source := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.RequestURI) }))
	defer source.Close()
	host := strings.Replace(source.Listener.Addr().String(), "127.0.0.1", "localhost", 1)
	get := func(url string) string {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		require.NoError(t, err)
		resp, err := source.Client().Do(req)
		require.NoError(t, err)
		defer func() { _ = resp.Body.Close() }()
		seen, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return string(seen)
	}
	s := newSet(t, upstreamAt{"", "http://" + host}, upstreamAt{"below", "http://" + host + "/be/low"})
	r := newRandom(t)
	passed, refused := 0, 0
	for range 1000 {
		rest := ""
		for range r.IntN(5) {
			rest += "/" + legal(r, pathChars)
		}
		rest = strings.TrimPrefix(rest, "/")
		if r.IntN(2) == 0 {
			rest += "?" + legal(r, queryChars)
		}
		name, root := host, "http://"+host+"/"
		if r.IntN(2) == 0 {
			name, root = "below", root+"be/low/"
		}
		forms := []string{name + "/" + rest, root + rest, strings.Replace(root, "//", "/", 1) + rest, strings.ToUpper(name) + "/" + rest}
		for _, form := range forms {
			m, err := s.Resolve(form)
			if err != nil {
				require.Equal(t, "below", name, form)
				refused++
				continue
			}
			require.Equal(t, root+rest, m.URL, form)
			requireInside(t, m.Upstream.Root, m.URL)
			passed++
		}
		if m, err := s.Resolve(forms[0]); err == nil {
			require.Equal(t, get(root+rest), get(m.URL))
		}
	}
	t.Logf("%d targets passed, %d refused", passed, refused)
	require.Greater(t, passed, 1500)
	require.Greater(t, refused, 50, "dot segments and encoded slashes below a root")
}

// FuzzResolve looks for panics, for URLs outside of their upstream, and for copies of paths that
// servers read differently.
func FuzzResolve(f *testing.F) {
	s := newSet(f, upstreamAt{"", "https://good.example"}, upstreamAt{"below", "https://good.example/be/low"},
		upstreamAt{"rooted", "https://rooted.example/root/"})
	for _, target := range hostile {
		f.Add(target)
	}
	for _, lines := range builtin {
		for line := range strings.Lines(lines) {
			f.Add("good.example" + strings.TrimLeft(strings.TrimSpace(line), "+- "))
		}
	}
	f.Fuzz(func(t *testing.T, target string) {
		m, err := s.Resolve(target)
		if err != nil {
			return
		}
		requireInside(t, m.Upstream.Root, m.URL)
		path, _, _ := strings.Cut(m.URL, "?")
		for _, bad := range []string{"/../", "/./", "\\", "%2f", "%2e", "%5c", "%00", "%252e"} {
			require.False(t, m.Copy && strings.Contains(strings.ToLower(path)+"/", bad), m.URL)
		}
		require.True(t, m.Copy || m.SHA256 == "")
	})
}
