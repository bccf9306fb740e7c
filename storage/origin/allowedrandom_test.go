package origin_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// canaryURLs are URLs that no list of sources may allow.
var canaryURLs = []string{
	"https://x.invalid/", "http://x.invalid/", "https://a.example.com.x.invalid/", "http://a.example.com.x.invalid/",
	"https://x.invalid:8443/", "http://x.invalid:1/", "https://x.invalid/a.example.com/", "https://x.invalid/?https://a.example.com/",
	"https://a.example.com:9999/", "http://a.example.com:9999/", "https://example.com.evil.test/", "https://a.example.com.evil.test/",
	"https://evil.test/a.example.com/", "https://evila.example.net/",
}

func newRandom(t *testing.T) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

func join(random *rand.Rand, parts []string, most int) string {
	var b strings.Builder
	for range 1 + random.IntN(most) {
		b.WriteString(parts[random.IntN(len(parts))])
	}
	return b.String()
}

// TestNoEntryAllowsACanary makes entries of the pieces of URLs and expressions. No accepted entry
// allows a canary. An accepted expression allows only URLs that it matches.
func TestNoEntryAllowsACanary(t *testing.T) {
	random := newRandom(t)
	schemes := []string{"https://", "http://", "^https://", "https?://", "^https?://", "^http://", ".*", "", "(http|https)://", "https:"}
	hosts := []string{
		"a", ".", `\.`, "example", `\.com`, ".com", "*.", ".*", "[^/]*", `[^/]*\.`, ".+", "[a-z]+", "(a|b)", "?", "x", "$", "|", "-", "*", "@", "[::1]",
		`a\.example\.com`, "a.example.com", "*.example.com", `[^/]*\.example\.com`,
	}
	tails := []string{"", "/", ":", ":443", ":8443", ":*", `:\d+`, "/.*", "/a", "/a/", `/a\.b/`, "/../", "$", "|", "/%2e%2e/", "/?a", "/#"}
	urls := append(slices.Clone(canaryURLs), "https://a.example.com/", "https://a.example.com/a/", "http://a.example.com/a.b/",
		"https://axexample.com/", "https://b.a.example.com/", "https://example.com/", "https://a.com/", "https://x/",
		"http://[::1]/a")
	entries, expressions := map[string]bool{}, 0
	for range 6_000 {
		entry := schemes[random.IntN(len(schemes))]
		if random.IntN(2) == 0 {
			entry += hosts[len(hosts)-1-random.IntN(4)] + tails[random.IntN(len(tails))] // Often accepted
		} else {
			entry += join(random, hosts, 3) + join(random, tails, 2)
		}
		all, err := origin.ParseAllowed(entry)
		if err != nil {
			require.Empty(t, all)
			require.NotContains(t, err.Error(), "\n")
			continue
		}
		entries[entry] = true
		client, err := origin.New(origin.Config{Allowed: []string{entry}})
		require.NoError(t, err)
		expression := strings.ContainsAny(entry, `\^`) || strings.Contains(entry, "?:")
		for _, url := range urls {
			allowed := client.Check(url) == nil
			if allowed && slices.Contains(canaryURLs, url) {
				require.Fail(t, "a canary is allowed", "%s allows %s", entry, url)
			}
			if expression && allowed {
				expressions++
				require.True(t, matches(t, entry, url), "%s allows %s, which it does not match", entry, url)
			}
		}
	}
	require.Greater(t, len(entries), 30)
	require.Greater(t, expressions, 100)
}

// matches reports whether an expression matches a canonical URL, or another spelling of it.
func matches(t *testing.T, expression, url string) bool {
	t.Helper()
	compiled, err := regexp.Compile(`\A(?:` + expression + `)`)
	require.NoError(t, err)
	scheme, rest, _ := strings.Cut(url, "://")
	host, path, _ := strings.Cut(rest, "/")
	for _, dot := range []string{"", "."} {
		for _, port := range []string{"", ":", map[string]string{"http": ":80", "https": ":443"}[scheme]} {
			if compiled.MatchString(scheme + "://" + host + dot + port + "/" + path) {
				return true
			}
		}
	}
	return false
}

// TestAllowedHostIsTheDialledHost has net/http dial random URLs that the policy allows, and
// compares the host and port that it dials with those of the list.
func TestAllowedHostIsTheDialledHost(t *testing.T) {
	random := newRandom(t)
	client, err := origin.New(origin.Config{Allowed: []string{
		"https://good.example/", "http://good.example:8080/", "https://*.wild.example/", "https://path.example/a/", "http://[2001:db8::1]/",
	}})
	require.NoError(t, err)
	allowed := regexp.MustCompile(`^(good\.example:443|good\.example:8080|([a-z0-9_-]+\.)+wild\.example:443|path\.example:443|\[2001:db8::1\]:80)$`)
	dialled := ""
	errDialled := errors.New("dialled")
	transport := &http.Transport{DialContext: func(_ context.Context, _, address string) (net.Conn, error) {
		dialled = address
		return nil, errDialled
	}}
	starts := []string{
		"https://good.example", "http://good.example:8080", "https://a.wild.example", "https://path.example/a/", "http://[2001:db8::1]",
		"https://evil.test", "HTTPS://", "https://", "http://",
	}
	parts := []string{
		"good.example", "evil.test", "wild.example", "a", ".", ":", "443", ":8080", "/", "//", "?", "#", "@", `\`, "%2e", "%2f", "%00", "[", "]", "::1", "é",
		"..", "/..", "%40", "\u212a", ";", "&", "=", " ", "\t", "*", "A", "-", "_", "%25", "．", "。",
	}
	allowedURLs, refused := 0, 0
	for range 100_000 {
		raw := starts[random.IntN(len(starts))] + join(random, parts, 5)
		canonical, err := client.Admit(raw)
		if err != nil {
			refused++
			continue
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, canonical, nil)
		require.NoError(t, err, canonical)
		dialled = ""
		_, err = transport.RoundTrip(req)
		require.ErrorIs(t, err, errDialled)
		require.Regexp(t, allowed, dialled, "%q is %s", raw, canonical)
		allowedURLs++
	}
	require.Greater(t, allowedURLs, 1_000)
	require.Greater(t, refused, 1_000)
}
