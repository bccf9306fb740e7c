package upstream_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A location is a URL as a browser reads it.
type location struct{ scheme, userinfo, host, path string }

// browse parses an absolute URL as browsers do, see https://url.spec.whatwg.org/#url-parsing: it
// drops tabs and line feeds, reads backslashes as slashes, skips slashes before the host, takes the
// last @ for the end of the userinfo, decodes the host, and resolves dot segments, encoded ones too.
func browse(raw string) (l location) {
	raw = strings.TrimFunc(raw, func(r rune) bool { return r <= ' ' })
	raw = strings.NewReplacer("\t", "", "\n", "", "\r", "").Replace(raw)
	raw, _, _ = strings.Cut(raw, "#")
	raw, _, _ = strings.Cut(raw, "?")
	raw = strings.ReplaceAll(raw, "\\", "/")
	scheme, rest, _ := strings.Cut(raw, ":")
	l.scheme = strings.ToLower(scheme)
	authority, path, _ := strings.Cut(strings.TrimLeft(rest, "/"), "/")
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		l.userinfo, authority = authority[:i], authority[i+1:]
	}
	if decoded, err := url.PathUnescape(authority); err == nil {
		authority = decoded
	}
	l.host = strings.ToLower(authority)
	var segments []string
	for segment := range strings.SplitSeq(path, "/") {
		switch strings.ReplaceAll(strings.ToLower(segment), "%2e", ".") {
		case ".":
		case "..":
			segments = segments[:max(0, len(segments)-1)]
		default:
			segments = append(segments, segment)
		}
	}
	l.path = "/" + strings.Join(segments, "/")
	return l
}

// The parser must read URLs as browsers do. Otherwise the tests below prove nothing.
func TestBrowse(t *testing.T) {
	for raw, want := range map[string]location{
		"https://good.example/a/b":          {"https", "", "good.example", "/a/b"},
		"https:\\\\evil.test\\a":            {"https", "", "evil.test", "/a"},
		"https:/\\evil.test":                {"https", "", "evil.test", "/"},
		"https:///evil.test/a":              {"https", "", "evil.test", "/a"},
		"https:evil.test/a":                 {"https", "", "evil.test", "/a"},
		"https:/\t/evil.test":               {"https", "", "evil.test", "/"},
		"https://good.example@evil.test/":   {"https", "good.example", "evil.test", "/"},
		"https://good.example\\@evil.test/": {"https", "", "good.example", "/@evil.test/"},
		"https://evil%2etest/":              {"https", "", "evil.test", "/"},
		"https://good.example/root/../x":    {"https", "", "good.example", "/x"},
		"https://good.example/root/.%2E/x":  {"https", "", "good.example", "/x"},
		"https://good.example/root\\..\\x":  {"https", "", "good.example", "/x"},
	} {
		require.Equal(t, want, browse(raw), raw)
	}
}

// requireInside requires that no reader of the URL leaves the root of the upstream.
func requireInside(t testing.TB, root, raw string) {
	t.Helper()
	require.True(t, strings.HasPrefix(raw, root), "%s begins with %s", raw, root)
	want, err := url.Parse(root)
	require.NoError(t, err)
	seen := browse(raw)
	require.Equal(t, location{want.Scheme, "", want.Host, seen.path}, seen, raw)
	require.True(t, strings.HasPrefix(seen.path+"/", want.Path), "%s leads to %s", raw, seen.path)
	// net/url refuses bad escapes.
	if u, err := url.Parse(raw); err == nil {
		require.Equal(t, want.Scheme, u.Scheme)
		require.Equal(t, want.Host, u.Host)
		require.Nil(t, u.User)
		require.Empty(t, u.Fragment)
		clean := browse(want.Scheme + "://" + want.Host + "/" + strings.TrimPrefix(u.Path, "/"))
		if want.Path != "/" { // Decoded once more, as by a server that reads the path.
			require.True(t, strings.HasPrefix(clean.path+"/", want.Path), "%s leads to %s", raw, clean.path)
		}
	}
}

// hostile holds targets that try to leave their upstream.
var hostile = []string{
	// Another host.
	"evil.test/", "//evil.test/", "///evil.test", "/\\evil.test", "\\\\evil.test", "/evil.test/..",
	"https://evil.test/", "https:/evil.test", "https:///evil.test", "https:////evil.test", "https:evil.test",
	"https:\\\\evil.test", "https:/\\evil.test", "https:\\/evil.test", "http://evil.test", "HTTPS://EVIL.TEST/",
	"javascript:alert(1)", "data:text/html,x", "ftp://good.example/", "file:///etc/passwd", "//good.example/",
	// Userinfo.
	"https://good.example@evil.test/", "https://good.example:443@evil.test/", "https://good.example%40evil.test/",
	"https://good.example:x@evil.test", "https://@evil.test/", "https://user@good.example/", "good.example@evil.test/",
	"https://evil.test\\@good.example/", "https://evil.test#@good.example/", "https://evil.test?@good.example/",
	"https://good.example\\@evil.test/", "good.example\\@evil.test", "good.example%40evil.test/", "good.example:@evil.test/",
	// Hosts that look alike.
	"good.example.evil.test/", "evil.test.good.example/", "evilgood.example/", "good.example./", "good.example../",
	"good.example%00.evil.test/", "good.example%2eevil.test/", "good%2eexample/", "https://good.example%2f.evil.test/",
	"https://good.example%00@evil.test/", "https://good.example%5c.evil.test/", "g\u043e\u043ed.example/",
	"good.example\u3002evil.test/", "https://good.example\uff0fevil.test/", "https://good.example\uff20evil.test/",
	"good.example\u2044evil.test/", "https://good.e\u00adxample/", "https://good.example\u200b/", "https://\u212aood.example/",
	"https://good.example:444/", "https://good.example:443:443/", "https://good.example:/", "https://good.example:0/",
	"https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://127.0.0.1/", "https://2130706433/", "https://0x7f.1/", "https://localhost/",
	"http://good.example/", "http:/good.example/",
	// Bytes that clients drop.
	"good.example\t/", "\tgood.example/", "https:/\t/evil.test/", "ht\ntps://evil.test/", "https://good.example\r\nSet-Cookie:x=y/",
	"good.example/\r\nLocation: https://evil.test", "good.example/a\x00b", "good.example/#@evil.test/", " good.example/", "good.example/ ",
	"good.example/a\x0bb", "good.example/?a\nb", "below/\t../../x", "below/.\n./x",
	// Behind the right host.
	"good.example//evil.test/", "good.example///evil.test", "good.example/\\evil.test", "good.example/\\\\evil.test/..",
	"good.example/@evil.test/", "good.example/https://evil.test/", "good.example/..//evil.test/", "good.example/%2f%2fevil.test/",
	"good.example/%5cevil.test", "good.example/%09/evil.test", "good.example/;@evil.test", "good.example/:80@evil.test",
	"good.example?@evil.test", "good.example?https://evil.test", "https://good.example?@evil.test/", "https:/good.example//evil.test",
	"https://good.example//evil.test/%2e%2e", "https://good.example/\\evil.test", "good.example/%zz@evil.test", "good.example/%",
	// Out of a root.
	"below/../x", "below/..", "below/a/../../x", "below/./../x", "below/%2e%2e/x", "below/%2E./x", "below/.%2e/x", "below/..%2fx",
	"below/%2e%2e%2fx", "below/..%5cx", "below/..\\x", "below\\..\\x", "below/%252e%252e/x", "below/%25252e%25252e/x", "below/..;/x",
	"below/..;a=b/x", "below/..%3b/x", "below/..%253b/x", "below/..%3f/x", "below/..%3F", "below/..%23x",
	"below/.%253f/../x", "below/..%20/x", "below/%c0%ae%c0%ae/x", "below/a%2f..%2f..%2fx", "below/%00/../x", "below/..%00/x", "below/..?/x",
	"below/.././../x", "below//../x", "below/a//..//../x", "https://rooted.example/root/../x", "https://rooted.example/rooted/x",
	"https://rooted.example/root%2f../x", "https://rooted.example/x/../root/../y", "https://rooted.example/root/..;/x",
	"https://rooted.example/./root/x", "https://rooted.example//root/x", "https:/rooted.example/root/%2e%2e/x",
	// Harmless below a root.
	"below/..a/x", "below/a../x", "below/.../x", "below/@evil.test", "below//evil.test", "below/?../../x", "below?@evil.test/..",
	"https://rooted.example/root?/../x", "below/https://evil.test/x",
}

func TestNoTargetLeavesItsUpstream(t *testing.T) {
	require.GreaterOrEqual(t, len(hostile), 60)
	s := newSet(t,
		upstreamAt{"", "https://good.example"},
		upstreamAt{"below", "https://good.example/be/low"},
		upstreamAt{"rooted", "https://rooted.example/root/"},
	)
	resolved, refused := 0, 0
	for _, target := range hostile {
		t.Run(target, func(t *testing.T) {
			m, err := s.Resolve(target)
			if err != nil {
				require.Empty(t, m.URL)
				require.Nil(t, m.Upstream)
				refused++
				return
			}
			requireInside(t, m.Upstream.Root, m.URL)
			resolved++
		})
	}
	t.Logf("%d targets stay in their upstream, %d are refused", resolved, refused)
	require.Greater(t, resolved, 25, "control: not all are refused")
	require.Greater(t, refused, 80)
	for _, target := range []string{"good.example/a", "https://good.example/a", "https:/good.example/a", "below/a", "https://rooted.example/root/a"} {
		m := must(t, s, target)
		requireInside(t, m.Upstream.Root, m.URL)
	}
}
