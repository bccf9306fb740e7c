package frontend

import (
	"bufio"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/julienschmidt/httprouter"
)

// admitted sends a segment of a path through net/http's parser, the router and decodeURL. It
// returns the URL that admit receives, if the request is valid and reaches admit.
func admitted(segment string) (raw string, reached bool) {
	text := "GET /v1/redirect/s3/us-west-2/" + segment + " HTTP/1.1\r\nHost: h\r\n\r\n"
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
	if err != nil {
		return "", false
	}
	p := paths{admit: func(s string) (string, error) {
		raw, reached = s, true
		return "", errors.New("not admitted")
	}}
	router := httprouter.New()
	router.RedirectTrailingSlash, router.RedirectFixedPath = false, false
	router.GET("/v1/redirect/:service/:region/*url", func(_ http.ResponseWriter, _ *http.Request, params httprouter.Params) {
		_, _ = p.source(params)
	})
	escapedPath(router).ServeHTTP(httptest.NewRecorder(), r)
	return raw, reached
}

// FuzzURLForms checks that all forms of a URL in a path reach the policy as exactly that URL.
func FuzzURLForms(f *testing.F) {
	for _, seed := range []string{
		"http://h/", "https://h/a%2Fb?c=%25#d", "http://h/%252e%252e/", "http://h/\x00\r\n\t", "HTTP://h:80/a b+c", "x://\xff\xfe", "://",
		"http://h/?>>>???~~~",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		if !strings.Contains(raw, "://") {
			return
		}
		component := strings.ReplaceAll(url.QueryEscape(raw), "+", "%20")
		std := base64.StdEncoding.EncodeToString([]byte(raw))
		for form, segment := range map[string]string{
			"percent-encoded":    component,
			"base64":             url.PathEscape(std),
			"base64 without pad": url.PathEscape(strings.TrimRight(std, "=")),
			"base64url":          base64.URLEncoding.EncodeToString([]byte(raw)),
			"raw base64url":      base64.RawURLEncoding.EncodeToString([]byte(raw)),
			"every byte encoded": everyByte(raw),
			"lower-case escapes": strings.ToLower(everyByte(raw)),
		} {
			if got, reached := admitted(segment); !reached || got != raw {
				t.Fatalf("%s of %q, %q: admit receives %q, %t", form, raw, segment, got, reached)
			}
		}
	})
}

func everyByte(raw string) string {
	var b strings.Builder
	for i := range len(raw) {
		const hex = "0123456789ABCDEF"
		b.Write([]byte{'%', hex[raw[i]>>4], hex[raw[i]&15]})
	}
	return b.String()
}

// FuzzURLInPath checks that a path is decoded exactly once. The policy judges the path's segment
// without percent-encoding, or decoded from base64. It has a scheme.
func FuzzURLInPath(f *testing.F) {
	for _, seed := range []string{
		"http%3A%2F%2Fh%2F", "http%253A%252F%252Fh%252F", "aHR0cDovL2gv", "aHR0cDovL2g_", "http://h/", "http:%2f%2fh?x=1", "%", "%zz",
		"http%3A%2F%2Fh%00", "..%2fhttp%3A%2F%2Fh", "aHR0cDovL2gv%3D", "/http%3A%2F%2Fh", "http%3A%2F%2Fh/", "",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, segment string) {
		got, reached := admitted(segment)
		if !reached {
			return
		}
		segment, _, _ = strings.Cut(segment, "?")
		if !strings.Contains(got, "://") || strings.Contains(segment, "/") {
			t.Fatalf("admit receives %q of %q", got, segment)
		}
		once := decodeOnce(segment)
		if strings.Contains(once, "://") {
			if got != once {
				t.Fatalf("admit receives %q of %q", got, segment)
			}
			return
		}
		standard := strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(once, "="))
		if want, err := base64.RawStdEncoding.DecodeString(standard); err != nil || got != string(want) {
			t.Fatalf("admit receives %q of %q", got, segment)
		}
	})
}

// decodeOnce replaces each valid escape by its byte.
func decodeOnce(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if c, err := url.PathUnescape(s[i : i+3]); err == nil {
				b.WriteString(c)
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
