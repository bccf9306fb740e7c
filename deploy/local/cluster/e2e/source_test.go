package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/auditor"
)

const (
	kib, mib = 1 << 10, 1 << 20
	// auditTime is how long the system may take to settle after a test.
	auditTime = 90 * time.Second
)

// source serves an object under every path /SIZE/NAME. Its bytes are a function of the path. The
// auditor checks its objects after the test.
type source struct {
	*httptest.Server
	ledger auditor.Ledger
	since  time.Time

	mu     sync.Mutex
	counts map[string]int // GETs by path
	status map[string]int // Of an answer without an object, by path
	hold   map[string]chan struct{}
	slow   map[string]time.Duration // Time of a GET
}

func newSource(t *testing.T) *source {
	t.Helper()
	sys.ran.Add(1)
	s := &source{
		since: time.Now(), counts: map[string]int{}, status: map[string]int{}, hold: map[string]chan struct{}{},
		slow: map[string]time.Duration{},
	}
	s.Server = httptest.NewServer(s.ledger.Wrap(s))
	t.Cleanup(func() {
		s.audit(t)
		s.Close()
	})
	return s
}

// object returns the URL of a new object.
func (s *source) object(size int) string { return fmt.Sprintf("%s/%d/%s.bin", s.URL, size, uuid.New()) }

func (s *source) path(object string) string { return strings.TrimPrefix(object, s.URL) }

// body returns the bytes of an object.
func body(path string) []byte {
	size, _ := strconv.Atoi(strings.Split(path, "/")[1])
	b := make([]byte, size)
	_, _ = rand.NewChaCha8(sha256.Sum256([]byte(path))).Read(b)
	return b
}

func (s *source) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	if r.Method == http.MethodGet {
		s.counts[r.URL.Path]++
	}
	status, hold, slow := s.status[r.URL.Path], s.hold[r.URL.Path], s.slow[r.URL.Path]
	s.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-r.Context().Done():
			return
		}
	}
	if status != 0 {
		w.WriteHeader(status)
		return
	}
	w.Header().Set("ETag", fmt.Sprintf("%q", r.URL.Path))
	w.Header().Set("Content-Type", "application/x-test")
	if slow > 0 && r.Method == http.MethodGet {
		trickle(r.Context(), w, body(r.URL.Path), slow)
		return
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body(r.URL.Path)))
}

// trickle sends the bytes in pieces over the given time.
func trickle(ctx context.Context, w http.ResponseWriter, b []byte, over time.Duration) {
	const pieces = 50
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	for i := range pieces {
		if _, err := w.Write(b[len(b)*i/pieces : len(b)*(i+1)/pieces]); err != nil {
			return
		}
		w.(http.Flusher).Flush()
		pause(ctx, over/pieces)
	}
}

// answers sets the status for an object that does not exist. 0 makes it exist.
func (s *source) answers(object string, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status[s.path(object)] = status
}

// takes sets the time of a GET.
func (s *source) takes(object string, d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.slow[s.path(object)] = d
}

// holds delays all answers for an object until release is called.
func (s *source) holds(object string) (release func()) {
	gate := make(chan struct{})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hold[s.path(object)] = gate
	return func() { close(gate) }
}

// gets is how many GETs of an object the source got.
func (s *source) gets(object string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts[s.path(object)]
}

// audit checks the source's objects, after a test that has not failed.
func (s *source) audit(t *testing.T) {
	t.Helper()
	if t.Failed() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 2*auditTime)
	defer cancel()
	found, evidence, err := sys.auditor.Audit(ctx, auditor.Scope{
		Limits: auditor.Limits{
			Except:  map[string]string{auditor.Resources: "processes are killed, and have no base"},
			Secrets: sys.secrets, Lease: lease,
		},
		Ledgers: []*auditor.Ledger{&s.ledger}, Hosts: []string{s.Listener.Addr().String()}, Since: s.since, Patience: auditTime,
	})
	require.NoError(t, err)
	require.NotEmpty(t, evidence.Runs, "control: the audit sees the runs")
	require.NotEmpty(t, evidence.Answers, "control: the audit sees the answers")
	for _, v := range append(found, auditor.Alarms(evidence)...) {
		t.Errorf("audit: %s", v)
	}
	t.Logf("audit: %d answers, %d runs, %d copies, %d violations", len(evidence.Answers), len(evidence.Runs), len(evidence.Copies), len(found))
}
