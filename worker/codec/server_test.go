package codec_test

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/cloud-mirror/cloud-mirror/worker/codec"
)

const webUI = "http://127.0.0.1:8233"

// codecServer counts the checks of tokens.
type codecServer struct {
	*httptest.Server
	checks atomic.Int64
}

func newServer(t *testing.T) *codecServer {
	t.Helper()
	s := &codecServer{}
	s.Server = httptest.NewServer(codec.NewServer(codec.ServerOptions{
		Codec: newCodec(t, keyA), Namespace: "default", Origin: webUI,
		Check: func(r *http.Request) *codec.Refusal {
			s.checks.Add(1)
			switch r.Header.Get("Authorization") {
			case "Bearer right":
				return nil
			case "Bearer purger":
				return &codec.Refusal{Status: http.StatusForbidden, Text: "scope"}
			case "Bearer guess":
				return &codec.Refusal{Status: http.StatusTooManyRequests, Text: "too many", RetryAfter: 1500 * time.Millisecond}
			}
			return &codec.Refusal{Status: http.StatusUnauthorized, Text: "wrong token"}
		},
	}))
	t.Cleanup(s.Close)
	return s
}

// send sends a request with headers in pairs.
func (s *codecServer) send(t *testing.T, method, path, body string, headers ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest(method, s.URL+path, strings.NewReader(body))
	require.NoError(t, err)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, "nosniff", resp.Header.Get("X-Content-Type-Options"))
	return resp, string(data)
}

// encrypted returns a body of one encrypted payload.
func encrypted(t *testing.T, keys ...string) string {
	t.Helper()
	p, err := newCodec(t, keys...).DataConverter().ToPayloads("hello")
	require.NoError(t, err)
	data, err := protojson.Marshal(p)
	require.NoError(t, err)
	return string(data)
}

func TestServer(t *testing.T) {
	good := encrypted(t, keyA)
	huge := `{"payloads":[{"data":"` + strings.Repeat("A", 16<<20) + `"}]}`
	for name, tc := range map[string]struct {
		method, path, body string
		headers            []string
		status             int
		want               string // in the body
	}{
		"decode":             {"POST", "/decode", good, []string{"Authorization", "Bearer right"}, 200, "ImhlbGxvIg=="},
		"with its namespace": {"POST", "/decode", good, []string{"Authorization", "Bearer right", "X-Namespace", "default"}, 200, "ImhlbGxvIg=="},
		"other namespace":    {"POST", "/decode", good, []string{"Authorization", "Bearer right", "X-Namespace", "x"}, 400, "another namespace"},
		"from the Web UI":    {"POST", "/decode", good, []string{"Authorization", "Bearer right", "Origin", webUI}, 200, "ImhlbGxvIg=="},
		"from another site":  {"POST", "/decode", good, []string{"Authorization", "Bearer right", "Origin", "http://127.0.0.1:8234"}, 403, "worker.codec_origin"},
		"origin null":        {"POST", "/decode", good, []string{"Authorization", "Bearer right", "Origin", "null"}, 403, "worker.codec_origin"},
		"cookie":             {"POST", "/decode", good, []string{"Cookie", "cloud_mirror_codec=right", "Origin", webUI}, 200, "ImhlbGxvIg=="},
		"wrong cookie":       {"POST", "/decode", good, []string{"Cookie", "cloud_mirror_codec=wrong", "Origin", webUI}, 401, "wrong token"},
		"cookie, other site": {"POST", "/decode", good, []string{"Cookie", "cloud_mirror_codec=right", "Origin", "https://evil.test"}, 403, "worker.codec_origin"},
		"cookie and header":  {"POST", "/decode", good, []string{"Cookie", "cloud_mirror_codec=right", "Authorization", "Bearer wrong"}, 401, "wrong token"},
		"form of a site":     {"POST", "/decode", good, []string{"Cookie", "cloud_mirror_codec=right", "Content-Type", "text/plain"}, 415, "application/json"},
		"no token":           {"POST", "/decode", good, nil, 401, "wrong token"},
		"no token, huge":     {"POST", "/decode", huge, nil, 401, "wrong token"},
		"wrong token":        {"POST", "/decode", good, []string{"Authorization", "Bearer wrong"}, 401, "wrong token"},
		"other scope":        {"POST", "/decode", good, []string{"Authorization", "Bearer purger"}, 403, "scope"},
		"guess":              {"POST", "/decode", good, []string{"Authorization", "Bearer guess"}, 429, "too many"},
		"encode without":     {"POST", "/encode", `{"payloads":[{"data":"AAAA"}]}`, nil, 401, "wrong token"},
		"encode":             {"POST", "/encode", `{"payloads":[{"data":"AAAA"}]}`, []string{"Authorization", "Bearer right"}, 200, "YmluYXJ5L2VuY3J5cHRlZA=="},
		"plain":              {"POST", "/decode", `{"payloads":[{"metadata":{"encoding":"anNvbi9wbGFpbg=="},"data":"MQ=="}]}`, []string{"Authorization", "Bearer right"}, 200, "MQ=="},
		"nothing":            {"POST", "/decode", `{}`, []string{"Authorization", "Bearer right"}, 200, "{}"},
		"other key":          {"POST", "/decode", encrypted(t, keyB), []string{"Authorization", "Bearer right"}, 400, `does not have: "b"`},
		"not JSON":           {"POST", "/decode", "secret", []string{"Authorization", "Bearer right"}, 400, "not a list of payloads"},
		"huge":               {"POST", "/decode", huge, []string{"Authorization", "Bearer right"}, 413, "more than"},
		"GET":                {"GET", "/decode", "", []string{"Authorization", "Bearer right"}, 405, ""},
		"other path":         {"POST", "/other", good, []string{"Authorization", "Bearer right"}, 404, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			headers := append([]string{"Content-Type", "application/json"}, tc.headers...)
			resp, body := s.send(t, tc.method, tc.path, tc.body, headers...)
			require.Equal(t, tc.status, resp.StatusCode, body)
			require.Contains(t, body, tc.want)
			require.NotContains(t, body, "secret")
			if tc.status != http.StatusOK {
				require.NotContains(t, body, "ImhlbGxvIg==")
			}
			require.Equal(t, tc.status == http.StatusUnauthorized, resp.Header.Get("WWW-Authenticate") != "")
			if tc.status == http.StatusTooManyRequests {
				require.Equal(t, "2", resp.Header.Get("Retry-After"))
			}
			origin := resp.Header.Get("Access-Control-Allow-Origin")
			require.Contains(t, []string{"", webUI}, origin)
			if tc.status == http.StatusForbidden {
				require.Empty(t, origin)
			}
		})
	}
}

func TestPreflight(t *testing.T) {
	for origin, allowed := range map[string]bool{
		webUI: true, "http://127.0.0.1:8234": false, "https://127.0.0.1:8233": false, "null": false, webUI + ".evil.test": false,
	} {
		s := newServer(t)
		resp, _ := s.send(t, http.MethodOptions, "/decode", "", "Origin", origin,
			"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "content-type,x-namespace")
		if !allowed {
			require.Equal(t, http.StatusForbidden, resp.StatusCode, origin)
			require.Empty(t, resp.Header.Get("Access-Control-Allow-Origin"))
			require.Empty(t, resp.Header.Get("Access-Control-Allow-Headers"))
			continue
		}
		require.Equal(t, http.StatusNoContent, resp.StatusCode)
		require.Equal(t, origin, resp.Header.Get("Access-Control-Allow-Origin"))
		require.Equal(t, "true", resp.Header.Get("Access-Control-Allow-Credentials"))
		require.Contains(t, resp.Header.Get("Access-Control-Allow-Headers"), "X-Namespace")
		require.Contains(t, resp.Header.Values("Vary"), "Origin")
		require.Zero(t, s.checks.Load())
	}
}

func TestSession(t *testing.T) {
	s := newServer(t)
	resp, body := s.send(t, http.MethodGet, "/", "")
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.Contains(t, body, `type="password"`)
	require.Contains(t, resp.Header.Get("Content-Security-Policy"), "default-src 'none'")
	form := func(token string) string { return url.Values{"token": {token}}.Encode() }
	const kind = "application/x-www-form-urlencoded"

	resp, _ = s.send(t, http.MethodPost, "/session", form("wrong"), "Content-Type", kind)
	require.Equal(t, http.StatusUnauthorized, resp.StatusCode)
	require.Empty(t, resp.Cookies())
	resp, _ = s.send(t, http.MethodPost, "/session", form("right"), "Content-Type", kind, "Sec-Fetch-Site", "cross-site")
	require.Equal(t, http.StatusForbidden, resp.StatusCode)
	require.Empty(t, resp.Cookies())
	resp, _ = s.send(t, http.MethodPost, "/session", form("right")+"&x="+strings.Repeat("x", 8<<10), "Content-Type", kind)
	require.Equal(t, http.StatusUnauthorized, resp.StatusCode, "a form that is too long")
	require.Empty(t, resp.Cookies())

	resp, _ = s.send(t, http.MethodPost, "/session", form("right"), "Content-Type", kind, "Sec-Fetch-Site", "same-origin")
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.Len(t, resp.Cookies(), 1)
	cookie := resp.Cookies()[0]
	require.True(t, cookie.HttpOnly)
	require.Equal(t, http.SameSiteStrictMode, cookie.SameSite)
	resp, body = s.send(t, http.MethodPost, "/decode", encrypted(t, keyA),
		"Content-Type", "application/json", "Origin", webUI, "Cookie", cookie.Name+"="+cookie.Value)
	require.Equal(t, http.StatusOK, resp.StatusCode, body)
}

// TestCookieIsSecure: browsers keep a token off plain http if the Web UI is served over TLS.
func TestCookieIsSecure(t *testing.T) {
	for origin, secure := range map[string]bool{webUI: false, "https://temporal.example.com": true} {
		s := codec.NewServer(codec.ServerOptions{
			Codec: newCodec(t, keyA), Origin: origin, Check: func(*http.Request) *codec.Refusal { return nil },
		})
		r := httptest.NewRequest(http.MethodPost, "/session", strings.NewReader("token=right"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		cookies := w.Result().Cookies()
		require.Len(t, cookies, 1)
		require.Equal(t, secure, cookies[0].Secure, origin)
	}
}

// TestSDKsRemoteCodec has the SDK's client of a codec server use it.
func TestSDKsRemoteCodec(t *testing.T) {
	s := newServer(t)
	remote := converter.NewRemotePayloadCodec(converter.RemotePayloadCodecOptions{
		Endpoint: s.URL, ModifyRequest: func(r *http.Request) error {
			r.Header.Set("Authorization", "Bearer right")
			return nil
		},
	})
	p, err := converter.GetDefaultDataConverter().ToPayload(map[string]string{"a": "b"})
	require.NoError(t, err)
	encoded, err := remote.Encode([]*common.Payload{p})
	require.NoError(t, err)
	decoded, err := remote.Decode(encoded)
	require.NoError(t, err)
	require.True(t, json.Valid(decoded[0].GetData()))
	require.JSONEq(t, string(p.GetData()), string(decoded[0].GetData()))
}

// TestChunkedRequestIsTheLastOfItsConnection sends a length and chunks. A proxy in front that goes
// by the length sees one request.
func TestChunkedRequestIsTheLastOfItsConnection(t *testing.T) {
	s := newServer(t)
	const head = "POST /decode HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer right\r\nContent-Type: application/json\r\n"
	for framed, served := range map[string]int64{
		"Content-Length: 12\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n": 1,
		"Content-Length: 2\r\n\r\n{}": 2, // The control.
	} {
		before := s.checks.Load()
		c, err := net.Dial("tcp", s.Listener.Addr().String())
		require.NoError(t, err)
		defer c.Close()
		require.NoError(t, c.SetDeadline(time.Now().Add(10*time.Second)))
		_, err = io.WriteString(c, head+framed+head+"Connection: close\r\nContent-Length: 2\r\n\r\n{}")
		require.NoError(t, err)
		answers, err := io.ReadAll(c)
		require.NoError(t, err)
		require.EqualValues(t, served, strings.Count(string(answers), "HTTP/1.1 200 OK"), "%s", answers)
		require.Equal(t, served, s.checks.Load()-before)
	}
}
