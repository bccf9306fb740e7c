package origin_test

import (
	"bufio"
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// contentMeta describes content as serveContent serves it, as far as ranges need.
var contentMeta = origin.Meta{Size: int64(len(content)), ETag: `"v1"`, AcceptRanges: true}

// secret stands for a signature in a query: no error text may hold it.
const secret = "X-Amz-Signature=SECRET"

// TestMain points the process at a certificate and at a proxy before any request: Go reads both
// only once.
func TestMain(m *testing.M) { os.Exit(runMain(m)) }

func runMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "origin")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	server := httptest.NewTLSServer(nil)
	server.Close()
	roots := filepath.Join(dir, "roots.pem")
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(roots, cert, 0o600); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	defer proxy.Close()
	for name, value := range map[string]string{"SSL_CERT_FILE": roots, "HTTP_PROXY": proxy.URL, "NO_PROXY": ""} {
		if err := os.Setenv(name, value); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return m.Run()
}

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// newClient returns a client that may dial 127.0.0.1, and not 127.0.0.2. Both are allowed sources.
func newClient(t *testing.T, edit func(*origin.Config)) *origin.Client {
	cfg := origin.Config{
		Allowed: []string{
			"http://127.0.0.1:*/", "https://127.0.0.1:*/", "http://127.0.0.2:*/", "https://127.0.0.2:*/",
		},
		AllowedNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")},
		Timeout:         5 * time.Second,
	}
	if edit != nil {
		edit(&cfg)
	}
	client, err := origin.New(cfg)
	require.NoError(t, err)
	return client
}

// source is a server that counts its requests, so that a test can show that there were none.
type source struct {
	*httptest.Server
	hits atomic.Int64
}

func newSource(t *testing.T, handler http.HandlerFunc) *source {
	s := &source{}
	s.Server = httptest.NewServer(s.counting(handler))
	t.Cleanup(s.Close)
	return s
}

func newSourceOn(t *testing.T, ip string, handler http.HandlerFunc) *source {
	listener, err := net.Listen("tcp", net.JoinHostPort(ip, "0"))
	require.NoError(t, err)
	s := &source{}
	s.Server = &httptest.Server{Listener: listener, Config: &http.Server{Handler: s.counting(handler), ReadHeaderTimeout: time.Minute}}
	s.Start()
	t.Cleanup(s.Close)
	return s
}

func (s *source) counting(handler http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.hits.Add(1)
		handler(w, r)
	}
}

// newRawSource sends the same bytes to every connection and then closes it, or resets it.
func newRawSource(t *testing.T, reset bool, answer string) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				if _, err := http.ReadRequest(bufio.NewReader(conn)); err != nil {
					return
				}
				_, _ = conn.Write([]byte(answer))
				if tcp, ok := conn.(*net.TCPConn); ok && reset {
					_ = tcp.SetLinger(0)
				}
			}()
		}
	}()
	return "http://" + listener.Addr().String() + "/object?" + secret
}

// describe returns the Meta of a first request whose body is closed unread.
func describe(t *testing.T, client *origin.Client, url string) (origin.Meta, error) {
	t.Helper()
	body, err := client.First(testContext(t), url)
	if err != nil {
		require.Nil(t, body)
		return origin.Meta{}, err
	}
	require.NoError(t, body.Close())
	return body.Meta(), nil
}

// requests are the three kinds of requests. A range is bytes 2 to 4 of content.
var requests = []struct {
	name string
	send func(ctx context.Context, client *origin.Client, url string) (*origin.Body, error)
}{
	{"First", func(ctx context.Context, client *origin.Client, url string) (*origin.Body, error) {
		return client.First(ctx, url)
	}},
	{"Get", func(ctx context.Context, client *origin.Client, url string) (*origin.Body, error) {
		return client.Get(ctx, url)
	}},
	{"GetRange", func(ctx context.Context, client *origin.Client, url string) (*origin.Body, error) {
		return client.GetRange(ctx, url, contentMeta, 2, 3)
	}},
}

func requireFailure(t *testing.T, err error, class origin.Class, permanent bool) *origin.Error {
	t.Helper()
	var failure *origin.Error
	require.ErrorAs(t, err, &failure)
	require.Equal(t, class, failure.Class, failure.Error())
	require.Equal(t, permanent, failure.Permanent, failure.Error())
	requireNoSecret(t, err)
	return failure
}

// requireNoSecret checks the whole chain: Temporal writes every link of it into the history.
func requireNoSecret(t *testing.T, err error) {
	t.Helper()
	for ; err != nil; err = unwrap(err) {
		require.NotContains(t, err.Error(), "SECRET")
		require.LessOrEqual(t, len(err.Error()), 1024)
	}
}

func unwrap(err error) error {
	if u, ok := err.(interface{ Unwrap() error }); ok {
		return u.Unwrap()
	}
	return nil
}

// requireBody reads the body of a request. With an empty class, the body must be all of want.
// Otherwise the GET or the reading must fail, and the bytes read must be a prefix of want. If the
// size was known, they must be fewer than that, so that counting them shows the failure.
func requireBody(t *testing.T, body *origin.Body, err error, want string, class origin.Class) {
	t.Helper()
	var got []byte
	if err == nil {
		got, err = io.ReadAll(body)
		_, again := body.Read(make([]byte, 1))
		require.NoError(t, body.Close())
		if err != nil {
			require.Equal(t, err, again, "the error is sticky")
		}
	}
	if class == "" {
		require.NoError(t, err)
		require.Equal(t, want, string(got))
		return
	}
	requireFailure(t, err, class, class == origin.ClassUnverifiable)
	require.True(t, strings.HasPrefix(want, string(got)), "%q", got)
	if body != nil && body.Size() >= 0 {
		require.Less(t, int64(len(got)), max(body.Size(), 1))
	}
}

// newTLSSource speaks HTTP/2 and HTTP/1.1. TestMain makes its certificate trusted.
func newTLSSource(t *testing.T, handler http.HandlerFunc) *source {
	s := &source{}
	s.Server = httptest.NewUnstartedServer(s.counting(handler))
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// requireAllowed requires that the policy allows the URL, or refuses it without telling its query.
func requireAllowed(t *testing.T, client *origin.Client, url string, allowed bool) {
	t.Helper()
	err := client.Check(url)
	if allowed {
		require.NoError(t, err)
		return
	}
	requireFailure(t, err, origin.ClassInvalidURL, true)
}
