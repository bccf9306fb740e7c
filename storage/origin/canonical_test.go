package origin_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

func TestCanonical(t *testing.T) {
	label := strings.Repeat("a", 63)
	name := strings.Repeat(label+".", 3) + label[:61]
	longest := "http://h/" + strings.Repeat("a", 8<<10-len("http://h/"))
	for _, tt := range []struct{ name, raw, want string }{
		{"a canonical url stays as it is", "https://h.example/a/b?c=d&e", "https://h.example/a/b?c=d&e"},
		{"scheme and host are lower case, path and query are not", "HTTPS://H.Example/A?B", "https://h.example/A?B"},
		{"the default port of http is dropped", "http://h:80/a", "http://h/a"},
		{"the default port of https is dropped", "https://h:443/a", "https://h/a"},
		{"the default port with leading zeros is dropped", "https://h:00443/a", "https://h/a"},
		{"an empty port is dropped", "https://h:/a", "https://h/a"},
		{"another port is kept", "https://h:80/a", "https://h:80/a"},
		{"the fragment is dropped", "https://h/a?b#c?d/e", "https://h/a?b"},
		{"an empty path is a slash", "https://h", "https://h/"},
		{"an empty path before a query is a slash", "https://h?a=b", "https://h/?a=b"},
		{"an empty query is kept", "https://h/a?", "https://h/a?"},
		{"a second question mark is kept", "https://h/a??", "https://h/a??"},
		{"escapes are kept in their case", "https://h/a%2Fb%2fc%41", "https://h/a%2Fb%2fc%41"},
		{"double slashes and dot segments are kept", "https://h//a/../b/./", "https://h//a/../b/./"},
		{"bytes that no uri may contain are encoded in the path", "https://h/ \"<>\\^`{|}", "https://h/%20%22%3C%3E%5C%5E%60%7B%7C%7D"},
		{"bytes that no uri may contain are encoded in the query", "https://h/?a b|c", "https://h/?a%20b%7Cc"},
		{"bytes outside ascii are encoded, valid utf-8 or not", "https://h/é\xff", "https://h/%C3%A9%FF"},
		{"%2F is kept beside an encoded byte", "https://h/a%2Fb c", "https://h/a%2Fb%20c"},
		{"brackets and sub-delims are kept", "https://h/[a]!$&'()*+,;=:@~", "https://h/[a]!$&'()*+,;=:@~"},
		{"a broken escape in the query is kept", "https://h/?a=%zz%", "https://h/?a=%zz%"},
		{"an at sign in the path is not userinfo", "https://h/a@b", "https://h/a@b"},
		{"an at sign in the query is not userinfo", "https://h?a@b", "https://h/?a@b"},
		{"an ipv6 address is shortened", "https://[2001:0DB8::0001]:8080/", "https://[2001:db8::1]:8080/"},
		{"an ipv6 address loses the default port", "https://[::1]:443/", "https://[::1]/"},
		{"an underscore in a host is kept", "https://my_bucket.example/", "https://my_bucket.example/"},
		{"a trailing dot of a host is dropped", "https://H.example./a", "https://h.example/a"},
		{"a trailing dot before a port is dropped", "https://h.example.:8443/", "https://h.example:8443/"},
		{"a trailing dot of an address is dropped", "http://127.0.0.1.:80/", "http://127.0.0.1/"},
		{"a label of 63 bytes is kept", "https://" + label + ".example/", "https://" + label + ".example/"},
		{"a host of 253 bytes is kept, without its dot", "https://" + name + "./", "https://" + name + "/"},
		{"8 KiB are accepted", longest, longest},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := origin.Canonical(tt.raw)
			require.NoError(t, err)
			assert.Equal(t, tt.want, got)
		})
	}
}

func TestCanonicalRejects(t *testing.T) {
	for _, tt := range []struct{ name, raw string }{
		{"the empty string", ""},
		{"another scheme", "ftp://h/SECRET"},
		{"file", "file:///SECRET"},
		{"no scheme", "h/SECRET"},
		{"no authority", "http:/h/SECRET"},
		{"leading space", " http://h/SECRET"},
		{"userinfo", "http://SECRET:SECRET@h/"},
		{"empty userinfo", "http://@h/SECRET"},
		{"userinfo after a backslash", "http://allowed.example\\@h/SECRET"},
		{"backslash in the host", "http://allowed.example\\.h/SECRET"},
		{"newline", "http://h/SECRET\n"},
		{"control character in a fragment", "http://h/SECRET#\x00"},
		{"delete", "http://h/\x7fSECRET"},
		{"empty host", "http:///SECRET"},
		{"empty host with a port", "http://:80/SECRET"},
		{"host outside ascii", "http://é.example/SECRET"},
		{"host with the kelvin sign, which lower-cases to k", "http://\u212a.example/SECRET"},
		{"escaped host", "http://%68.example/SECRET"},
		{"host of one dot", "http://./SECRET"},
		{"host of two dots", "http://../SECRET"},
		{"host with an empty label", "http://a..b/SECRET"},
		{"host above 253 bytes", "http://" + strings.Repeat("a.", 126) + "aa/SECRET"},
		{"host above 253 bytes with a trailing dot", "http://" + strings.Repeat("a.", 126) + "aa./SECRET"},
		{"label above 63 bytes", "http://" + strings.Repeat("a", 64) + ".example/SECRET"},
		{"host with two trailing dots", "http://a../SECRET"},
		{"host with a leading dot", "http://.a/SECRET"},
		{"ipv6 zone that ends like an allowed host", "http://[::1%25x.allowed.example]/SECRET"},
		{"ipv6 zone, not escaped", "http://[::1%x.allowed.example]/SECRET"},
		{"ipv4 in brackets", "http://[127.0.0.1]/SECRET"},
		{"unclosed bracket", "http://[::1/SECRET"},
		{"ipv6 without brackets", "http://::1/SECRET"},
		{"text after an ipv6 address", "http://[::1].allowed.example/SECRET"},
		{"port 0", "http://h:0/SECRET"},
		{"port 65536", "http://h:65536/SECRET"},
		{"port with a sign", "http://h:+80/SECRET"},
		{"port that is not a number", "http://h:8x/SECRET"},
		{"two ports", "http://h:80:80/SECRET"},
		{"broken escape in the path", "http://h/SECRET%zz"},
		{"escape cut short", "http://h/SECRET%2"},
		{"more than 8 KiB", "http://h/" + strings.Repeat("a", 8<<10)},
		{"more than 8 KiB once encoded", "http://h/" + strings.Repeat(" ", 4<<10)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := origin.Canonical(tt.raw)
			assert.Empty(t, got)
			var failure *origin.Error
			require.ErrorAs(t, err, &failure)
			assert.Equal(t, origin.ClassInvalidURL, failure.Class)
			assert.True(t, failure.Permanent)
			assert.NotContains(t, err.Error(), "SECRET")
		})
	}
}

// TestBareEscapeIsMarked: only a bare % in the path has the mark, and its text tells the way out.
func TestBareEscapeIsMarked(t *testing.T) {
	for _, tt := range []struct {
		name, raw string
		bare      bool
	}{
		{"a % at the end", "http://h/SECRET%", true},
		{"a % before one digit", "http://h/SECRET%2", true},
		{"a % before no hex digits", "http://h/100%SECRET", true},
		{"a % before another escape", "http://h/%%20SECRET", true},
		{"a % before the query", "http://h/SECRET%?a", true},
		{"a % in the host", "http://a%zz/SECRET", false},
		{"another scheme with a bare %", "ftp://h/SECRET%zz", false},
		{"userinfo", "http://SECRET@h/", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := origin.Canonical(tt.raw)
			failure := requireFailure(t, err, origin.ClassInvalidURL, true)
			assert.Equal(t, tt.bare, errors.Is(err, origin.ErrBareEscape))
			assert.Equal(t, tt.bare, strings.Contains(failure.Error(), "write %25 for it"), failure.Error())
			escaped, err := origin.Canonical("http://h/100%25")
			require.NoError(t, err, "positive control")
			assert.Equal(t, "http://h/100%25", escaped)
		})
	}
}

// TestBadNameIsMarked: only a host that no DNS name can be has the mark. Every way to name a source
// refuses it.
func TestBadNameIsMarked(t *testing.T) {
	long := strings.Repeat("a", 64)
	for raw, text := range map[string]string{
		"http://a..b/SECRET":                                 "url has a host with an empty label",
		"http://.a/SECRET":                                   "url has a host with an empty label",
		"http://a../SECRET":                                  "url has a host with an empty label",
		"http://../SECRET":                                   "url has a host with an empty label",
		"http://./SECRET":                                    "url has a host with an empty label",
		"http://" + long + ".b/SECRET":                       "url has a host with a label of more than 63 bytes",
		"http://b." + long + "/SECRET":                       "url has a host with a label of more than 63 bytes",
		"http://" + strings.Repeat("a.", 126) + "aa/?SECRET": "url has a host of more than 253 bytes",
		"http://é/SECRET":                                    "",
		"http:///SECRET":                                     "",
		"http://[::1/SECRET":                                 "",
	} {
		_, err := origin.Canonical(raw)
		failure := requireFailure(t, err, origin.ClassInvalidURL, true)
		require.Equal(t, text != "", errors.Is(err, origin.ErrBadName), raw)
		require.Contains(t, failure.Error(), text)
		_, err = origin.ParseAllowed(raw)
		require.Error(t, err, raw)
		_, err = origin.CanonicalName(strings.TrimSuffix(strings.TrimPrefix(raw, "http://"), "/SECRET"))
		require.Error(t, err, raw)
	}
}

func FuzzCanonical(f *testing.F) {
	for _, seed := range []string{
		"http://h", "HTTPS://H:443/a%2Fb c?d|e#f", "http://[::FFFF:1.2.3.4]:8080/?", "https://h//../%41?%", "http://h./\xff??",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		canonical, err := origin.Canonical(raw)
		if err != nil {
			var failure *origin.Error
			if !errors.As(err, &failure) || failure.Class != origin.ClassInvalidURL || canonical != "" {
				t.Fatalf("Canonical(%q) = %q, %#v", raw, canonical, err)
			}
			return
		}
		if again, err := origin.Canonical(canonical); err != nil || again != canonical {
			t.Fatalf("not idempotent: %q, %q, %v", canonical, again, err)
		}
		u, err := url.Parse(canonical)
		if err != nil {
			t.Fatalf("net/url refuses %q: %v", canonical, err)
		}
		if sent := u.Scheme + "://" + u.Host + u.RequestURI(); sent != canonical {
			t.Fatalf("net/http would send %q for %q", sent, canonical)
		}
		if u.String() != canonical {
			t.Fatalf("net/url changes %[2]q to %[1]q", u, canonical)
		}
		if u.User != nil || u.Fragment != "" || strings.Contains(u.Hostname(), "%") {
			t.Fatalf("userinfo, fragment or zone in %q", canonical)
		}
	})
}

// FuzzCanonicalIsInjective checks that two requests that differ on the wire never become one
// object.
func FuzzCanonicalIsInjective(f *testing.F) {
	f.Add("a%2Fb", "a/b")
	f.Add("a", "a?")
	f.Add("a/../b", "b")
	f.Add("%41", "A")
	f.Add("%c3", "%C3")
	legal := func(s string) bool {
		return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune("#\"<>\\^`{|}", r) })
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if a == b || !legal(a) || !legal(b) {
			return // equal, or changed by Canonical
		}
		c1, err1 := origin.Canonical("http://h/" + a)
		c2, err2 := origin.Canonical("http://h/" + b)
		if err1 == nil && err2 == nil && c1 == c2 {
			t.Fatalf("%q and %q both become %q", a, b, c1)
		}
	})
}
