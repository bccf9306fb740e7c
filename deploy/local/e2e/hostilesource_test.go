package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	bigint "math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	// trustedIP is the only address that the processes of TestHostileInputs may dial.
	trustedIP = "127.0.0.2"
	// deniedIP is in source.allowed_networks and in source.denied_networks.
	deniedIP = "127.0.0.9"
)

// trusted is a source that is allowed. It redirects as the rows say, by HTTP and by HTTPS.
type trusted struct {
	addr, tlsAddr string
	certificate   string // The file that a worker needs to trust it

	mu        sync.Mutex
	redirects map[string]string // The head of a redirect, by path
	requests  map[string]int    // By path
}

func newTrusted(t *testing.T) *trusted {
	t.Helper()
	s := &trusted{redirects: map[string]string{}, requests: map[string]int{}}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: bigint.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.ParseIP(trustedIP)},
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	s.certificate = filepath.Join(t.TempDir(), "trusted.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	require.NoError(t, os.WriteFile(s.certificate, text, 0o600))

	s.addr = s.serve(t, func(l net.Listener) net.Listener { return l })
	s.tlsAddr = s.serve(t, func(l net.Listener) net.Listener {
		return tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	})
	return s
}

func (s *trusted) serve(t *testing.T, wrap func(net.Listener) net.Listener) (addr string) {
	t.Helper()
	listener, err := net.Listen("tcp", trustedIP+":0")
	require.NoError(t, err)
	server := &http.Server{Handler: s}
	t.Cleanup(func() { server.Close() })
	go func() { _ = server.Serve(wrap(listener)) }()
	return listener.Addr().String()
}

// redirect has the source answer a path with a redirect. The Location is sent byte for byte.
func (s *trusted) redirect(path string, status int, location string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.redirects[path] = fmt.Sprintf("HTTP/1.1 %d Redirect\r\nLocation: %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", status, location)
}

// count returns the number of requests for a path.
func (s *trusted) count(path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests[path]
}

// total returns the number of all requests.
func (s *trusted) total() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, count := range s.requests {
		n += count
	}
	return n
}

func (s *trusted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, _, _ := strings.Cut(r.RequestURI, "?")
	s.mu.Lock()
	s.requests[path]++
	head, ok := s.redirects[path]
	s.mu.Unlock()
	if !ok {
		_, _ = fmt.Fprintf(w, "trusted %s", path)
		return
	}
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = conn.Write([]byte(head))
}
