package upstream_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/frontend/upstream"
)

// configured is a set of upstreams of each kind.
func configured(t testing.TB) *upstream.Set {
	t.Helper()
	s, err := upstream.New([]upstream.Options{
		{URL: "HTTPS://Example.com:443", Copy: []string{"^/files/", "oci", "deb"}, MinSize: 7},
		{Name: "below", URL: "https://example.com/a/b", Copy: []string{"^/"}},
		{Name: "deeper", URL: "https://example.com/a/b/c/", Copy: []string{"^/x|/y"}},
		{URL: "http://plain.example:8080/", Insecure: true, Copy: []string{"^/"}},
		{Name: "plain", URL: "http://plain.example:80", Insecure: true},
		{Name: "only", URL: "https://only.example/root"},
	})
	require.NoError(t, err)
	return s
}

func TestResolve(t *testing.T) {
	s := configured(t)
	const unsafe, space = "could lead out", "a space, a control character or #"
	for _, tc := range []struct {
		target, name, url string
		copied            bool
		err               string // "unknown", or a part of a PathError's text.
	}{
		// Names.
		{"example.com/files/a", "example.com", "https://example.com/files/a", true, ""},
		{"example.com", "example.com", "https://example.com/", false, ""},
		{"example.com/", "example.com", "https://example.com/", false, ""},
		{"example.com?a", "example.com", "https://example.com/?a", false, ""},
		{"EXAMPLE.com/files/A", "example.com", "https://example.com/files/A", true, ""},
		{"Below/x", "below", "https://example.com/a/b/x", true, ""},
		{"below", "below", "https://example.com/a/b/", true, ""},
		{"below?q", "below", "https://example.com/a/b/?q", true, ""},
		{"below/c/z", "below", "https://example.com/a/b/c/z", true, ""},
		{"deeper/x", "deeper", "https://example.com/a/b/c/x", true, ""},
		{"deeper/y", "deeper", "https://example.com/a/b/c/y", true, ""},
		{"deeper/z/y", "deeper", "https://example.com/a/b/c/z/y", false, ""},
		{"plain.example:8080/x", "plain.example:8080", "http://plain.example:8080/x", true, ""},
		{"plain/x", "plain", "http://plain.example/x", false, ""},
		{"", "", "", false, "unknown"},
		{"/", "", "", false, "unknown"},
		{"/example.com/files/a", "", "", false, "unknown"},
		{"?example.com", "", "", false, "unknown"},
		{"example.com:443/files/a", "", "", false, "unknown"},
		{"example.com./files/a", "", "", false, "unknown"},
		{"example%2ecom/files/a", "", "", false, "unknown"},
		{"example.com%2Ffiles/a", "", "", false, "unknown"},
		{"example.comx/files/a", "", "", false, "unknown"},
		{"plain.example/x", "", "", false, "unknown"},
		{"../example.com/files/a", "", "", false, "unknown"},
		{"none/x", "", "", false, "unknown"},
		{"\u212aelvin/x", "", "", false, "unknown"},

		// Absolute URLs.
		{"https://example.com/files/a?b=%2F", "example.com", "https://example.com/files/a?b=%2F", true, ""},
		{"https:/example.com/files/a", "example.com", "https://example.com/files/a", true, ""},
		{"HTTPS://EXAMPLE.COM/files/A", "example.com", "https://example.com/files/A", true, ""},
		{"https://example.com:443/files/a", "example.com", "https://example.com/files/a", true, ""},
		{"https://example.com./files/a", "example.com", "https://example.com/files/a", true, ""},
		{"https://example.com.:443/files/a", "example.com", "https://example.com/files/a", true, ""},
		{"http://plain.example.:8080/x", "plain.example:8080", "http://plain.example:8080/x", true, ""},
		{"https://example.com../files/a", "", "", false, "unknown"},
		{"https://example.com", "example.com", "https://example.com/", false, ""},
		{"https://example.com?q", "example.com", "https://example.com/?q", false, ""},
		{"https://example.com/a/b/x", "below", "https://example.com/a/b/x", true, ""},
		{"https://example.com/a/b", "below", "https://example.com/a/b/", true, ""},
		{"https://example.com/a/b?q", "below", "https://example.com/a/b/?q", true, ""},
		{"https://example.com/a/bc", "example.com", "https://example.com/a/bc", false, ""},
		{"https://example.com/a/b/c/x", "deeper", "https://example.com/a/b/c/x", true, ""},
		{"https://example.com/a/b/cx", "below", "https://example.com/a/b/cx", true, ""},
		{"https://example.com/A/b/x", "example.com", "https://example.com/A/b/x", false, ""},
		{"https://example.com/%61/b/x", "example.com", "https://example.com/%61/b/x", false, ""},
		{"https://example.com/x/../a/b/x", "example.com", "https://example.com/x/../a/b/x", false, ""},
		{"https://example.com/a/b/../x", "", "", false, unsafe},
		{"https://only.example/root/x", "only", "https://only.example/root/x", false, ""},
		{"https://only.example/", "", "", false, "unknown"},
		{"https://only.example/rooted", "", "", false, "unknown"},
		{"https://only.example/x/../root/x", "", "", false, "unknown"},
		{"http://plain.example:8080/x", "plain.example:8080", "http://plain.example:8080/x", true, ""},
		{"http:/plain.example/x", "plain", "http://plain.example/x", false, ""},
		{"http://plain.example:80/x", "plain", "http://plain.example/x", false, ""},
		{"http://example.com/files/a", "", "", false, "unknown"},
		{"https://plain.example/x", "", "", false, "unknown"},
		{"http://example.com:443/files/a", "", "", false, "unknown"},
		{"https://example.com:80/files/a", "", "", false, "unknown"},
		{"https://example.com:0443/files/a", "", "", false, "unknown"},
		{"https:///example.com/files/a", "", "", false, "unknown"},
		{"https:example.com/files/a", "", "", false, "unknown"},
		{"https:", "", "", false, "unknown"},
		{"https://", "", "", false, "unknown"},
		{"https%3A//example.com/files/a", "", "", false, "unknown"},
		{"https://u@example.com/files/a", "", "", false, "unknown"},
		{"ftp://example.com/files/a", "", "", false, "unknown"},

		// Paths that servers read differently.
		{"example.com/files/../a", "example.com", "https://example.com/files/../a", false, ""},
		{"example.com/files/./a", "example.com", "https://example.com/files/./a", false, ""},
		{"example.com/files/..", "example.com", "https://example.com/files/..", false, ""},
		{"example.com/files/..;x/a", "example.com", "https://example.com/files/..;x/a", false, ""},
		{"example.com/files/%2E%2e/a", "example.com", "https://example.com/files/%2E%2e/a", false, ""},
		{"example.com/files/a%2Fb", "example.com", "https://example.com/files/a%2Fb", false, ""},
		{"example.com/files/a%5cb", "example.com", "https://example.com/files/a%5cb", false, ""},
		{"example.com/files/a\\b", "example.com", "https://example.com/files/a\\b", false, ""},
		{"example.com/files/a%252fb", "example.com", "https://example.com/files/a%252fb", false, ""},
		{"example.com/files/a%00b", "example.com", "https://example.com/files/a%00b", false, ""},
		{"example.com/files/%c0%af", "example.com", "https://example.com/files/%c0%af", false, ""},
		{"example.com/files/%C1%9c", "example.com", "https://example.com/files/%C1%9c", false, ""},
		{"example.com/files//a", "example.com", "https://example.com/files//a", false, ""},
		{"example.com//files/a", "example.com", "https://example.com//files/a", false, ""},
		{"example.com/files/a%", "example.com", "https://example.com/files/a%", false, ""},
		{"example.com/files/a%2", "example.com", "https://example.com/files/a%2", false, ""},
		{"example.com/files/a%zz", "example.com", "https://example.com/files/a%zz", false, ""},
		{"example.com/files/...", "example.com", "https://example.com/files/...", true, ""},
		{"example.com/files/..a/.b/c..", "example.com", "https://example.com/files/..a/.b/c..", true, ""},
		{"example.com/files/a%20b%C3%A9%25", "example.com", "https://example.com/files/a%20b%C3%A9%25", true, ""},
		{"example.com/files/é", "example.com", "https://example.com/files/é", true, ""},
		{"below/../x", "", "", false, unsafe},
		{"below/..", "", "", false, unsafe},
		{"below/./x", "", "", false, unsafe},
		{"below/x/%2e%2E/y", "", "", false, unsafe},
		{"below/.%2e/y", "", "", false, unsafe},
		{"below/x%2fy", "", "", false, unsafe},
		{"below/x%5Cy", "", "", false, unsafe},
		{"below/x\\y", "", "", false, unsafe},
		{"below/..;/y", "", "", false, unsafe},
		{"below/..%3B/y", "", "", false, unsafe},
		{"below/%252e%252e/y", "", "", false, unsafe},
		{"below/%25252e/y", "", "", false, unsafe},
		{"below/x%0ay", "", "", false, unsafe},
		{"below//x", "below", "https://example.com/a/b//x", false, ""},
		{"below/?/../x", "below", "https://example.com/a/b/?/../x", true, ""},

		// Bytes that no client sends.
		{"example.com/a#b", "", "", false, space},
		{"example.com/a?b#c", "", "", false, space},
		{"example.com/a b", "", "", false, space},
		{"example.com/a\tb", "", "", false, space},
		{"example.com/a\r\nb", "", "", false, space},
		{"example.com/a\x00", "", "", false, space},
		{"example.com/a?\x7f", "", "", false, space},
		{"other.example/#", "", "", false, space},

		// Queries.
		{"example.com/files/a?", "example.com", "https://example.com/files/a?", true, ""},
		{"example.com/files/a?v=1&&w;x=%2F?", "example.com", "https://example.com/files/a?v=1&&w;x=%2F?", true, ""},
		{"example.com/files/a?ns=docker.io&tokens=1&xsig=2", "example.com", "https://example.com/files/a?ns=docker.io&tokens=1&xsig=2", true, ""},
		{"example.com/files/a?v=token&w=X-Amz-Signature", "example.com", "https://example.com/files/a?v=token&w=X-Amz-Signature", true, ""},
		{"example.com/files/a?X-Amz-Signature=s", "example.com", "https://example.com/files/a?X-Amz-Signature=s", false, ""},
		{"example.com/files/a?v=1&x-amz-date", "example.com", "https://example.com/files/a?v=1&x-amz-date", false, ""},
		{"example.com/files/a?v=1;sig=s", "example.com", "https://example.com/files/a?v=1;sig=s", false, ""},
		{"example.com/files/a?X-Goog-Algorithm=s", "example.com", "https://example.com/files/a?X-Goog-Algorithm=s", false, ""},
		{"example.com/files/a?%54oken=s", "example.com", "https://example.com/files/a?%54oken=s", false, ""},
		{"example.com/files/a?%73%69%67=s", "example.com", "https://example.com/files/a?%73%69%67=s", false, ""},
		{"example.com/files/a?SIGNATURE=s", "example.com", "https://example.com/files/a?SIGNATURE=s", false, ""},
		{"example.com/files/a?access_token=s", "example.com", "https://example.com/files/a?access_token=s", false, ""},
		{"example.com/files/a?private_token=s", "example.com", "https://example.com/files/a?private_token=s", false, ""},
		{"example.com/files/a?AWSAccessKeyId=s", "example.com", "https://example.com/files/a?AWSAccessKeyId=s", false, ""},
		{"example.com/files/a?Key-Pair-Id=s", "example.com", "https://example.com/files/a?Key-Pair-Id=s", false, ""},
		{"example.com/files/a?Expires=1", "example.com", "https://example.com/files/a?Expires=1", false, ""},
		{"example.com/files/a?auth_key=1700000000-0-0-s", "example.com", "https://example.com/files/a?auth_key=1700000000-0-0-s", false, ""},
		{"example.com/files/a?wsSecret=s&wsTime=1", "example.com", "https://example.com/files/a?wsSecret=s&wsTime=1", false, ""},
		{"example.com/files/a?verify=1-s", "example.com", "https://example.com/files/a?verify=1-s", false, ""},
		{"example.com/files/a?__cld_token__=s", "example.com", "https://example.com/files/a?__cld_token__=s", false, ""},
		{"example.com/files/a?db_password=s", "example.com", "https://example.com/files/a?db_password=s", false, ""},
		{"example.com/files/a?key=s", "example.com", "https://example.com/files/a?key=s", false, ""},
	} {
		t.Run(tc.target, func(t *testing.T) {
			m, err := s.Resolve(tc.target)
			switch tc.err {
			case "":
				require.NoError(t, err)
			case "unknown":
				require.ErrorIs(t, err, upstream.ErrUnknown)
				return
			default:
				var refused *upstream.PathError
				require.ErrorAs(t, err, &refused)
				require.Contains(t, refused.Text, tc.err)
				return
			}
			require.Equal(t, tc.name, m.Upstream.Name)
			require.Equal(t, tc.url, m.URL)
			require.Equal(t, tc.copied, m.Copy)
		})
	}
	require.EqualValues(t, 7, must(t, s, "example.com/a").Upstream.MinSize)
}

func must(t testing.TB, s *upstream.Set, target string) upstream.Match {
	t.Helper()
	m, err := s.Resolve(target)
	require.NoError(t, err)
	return m
}

// A digest comes from a rule that took the path, and an expression that takes it too hides none.
func TestResolveReturnsTheDigestOfAPath(t *testing.T) {
	s, err := upstream.New([]upstream.Options{{URL: "https://example.com", Copy: []string{"^/", "oci", "deb"}}})
	require.NoError(t, err)
	require.Equal(t, hex64, must(t, s, "example.com/v2/a/blobs/"+digest).SHA256)
	require.Equal(t, hex64, must(t, s, "example.com/v2/a/blobs/"+digest+"?ns=docker.io").SHA256)
	require.Equal(t, hex64, must(t, s, "example.com/d/by-hash/SHA256/"+hex64).SHA256)
	require.Empty(t, must(t, s, "example.com/v2/a/blobs/"+digest+"?sig=x").SHA256)
	require.Empty(t, must(t, s, "example.com/v2/../blobs/"+digest).SHA256)
	require.Empty(t, must(t, s, "example.com/a/"+digest).SHA256)

	var none upstream.Set
	_, err = none.Resolve("example.com/a")
	require.ErrorIs(t, err, upstream.ErrUnknown)
	require.Empty(t, none.Name("https://example.com/a"))
	require.Empty(t, none.Roots())
}
