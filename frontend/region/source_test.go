package region_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/frontend/region"
)

// rangesServer serves a document with an ETag.
type rangesServer struct {
	*httptest.Server
	mu      sync.Mutex
	body    string
	etag    string
	status  int // in place of 200
	answers map[int]int
}

func newRangesServer(t *testing.T, body, etag string) *rangesServer {
	s := &rangesServer{body: body, etag: etag, answers: map[int]int{}}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	return s
}

func (s *rangesServer) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	status := http.StatusOK
	switch {
	case s.status != 0:
		status = s.status
	case s.etag != "" && r.Header.Get("If-None-Match") == s.etag:
		status = http.StatusNotModified
	}
	s.answers[status]++
	if s.etag != "" {
		w.Header().Set("ETag", s.etag)
	}
	w.WriteHeader(status)
	if status == http.StatusOK {
		fmt.Fprint(w, s.body)
	}
}

func (s *rangesServer) set(body, etag string, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.body, s.etag, s.status = body, etag, status
}

// counts returns the number of responses of each status since the previous call.
func (s *rangesServer) counts() map[int]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	counts := s.answers
	s.answers = map[int]int{}
	return counts
}

func TestReloadOfAURL(t *testing.T) {
	west, east := ipRanges("198.51.100.0/24 us-west-2"), ipRanges("198.51.100.0/24 us-east-1")
	s, c, f := newRangesServer(t, west, `"1"`), newClock(), &failures{}
	l := newLocator(t, reloadOptions(s.URL+"/ranges.json", c, f))
	runLocator(t, l)
	require.Equal(t, time.Minute, c.pause(t))
	require.Equal(t, map[int]int{200: 1}, s.counts())

	for _, step := range []struct {
		name, body, etag string
		status           int
		answers          map[int]int
		pause            time.Duration
		region           string
		failed           string
	}{
		{"unchanged", west, `"1"`, 0, map[int]int{304: 1}, time.Minute, "us-west-2", ""},
		{"changed", east, `"2"`, 0, map[int]int{200: 1}, time.Minute, "us-east-1", ""},
		{"unchanged again", east, `"2"`, 0, map[int]int{304: 1}, time.Minute, "us-east-1", ""},
		{"invalid", "<html>", `"3"`, 0, map[int]int{200: 1}, 5 * time.Second, "us-east-1", "not a document"},
		{"still invalid, downloaded again", "<html>", `"3"`, 0, map[int]int{200: 1}, 10 * time.Second, "us-east-1", "not a document"},
		{"unavailable", "", "", 503, map[int]int{503: 1}, 20 * time.Second, "us-east-1", "unexpected status 503 Service Unavailable"},
		{"available again", east, `"2"`, 0, map[int]int{304: 1}, time.Minute, "us-east-1", ""},
		{"valid again", west, `"4"`, 0, map[int]int{200: 1}, time.Minute, "us-west-2", ""},
		{"without an ETag", east, "", 0, map[int]int{200: 1}, time.Minute, "us-east-1", ""},
		{"without an ETag, unchanged", east, "", 0, map[int]int{200: 1}, time.Minute, "us-east-1", ""},
		{"304 without an ETag", east, "", 304, map[int]int{304: 1}, 5 * time.Second, "us-east-1", "unexpected status 304"},
	} {
		s.set(step.body, step.etag, step.status)
		c.tick(t)
		require.Equal(t, step.pause, c.pause(t), step.name)
		require.Equal(t, step.answers, s.counts(), step.name)
		require.Equal(t, step.region, regionOf(l), step.name)
		failed := f.drain()
		if step.failed == "" {
			require.Empty(t, failed, step.name)
			continue
		}
		require.Len(t, failed, 1, step.name)
		require.Contains(t, failed[0], "load IP ranges from "+s.URL+"/ranges.json: "+step.failed, step.name)
	}
}

func TestFirstLoadOfAURLThatIsDown(t *testing.T) {
	s, c, f := newRangesServer(t, "", ""), newClock(), &failures{}
	s.set("", "", 500)
	l := newLocator(t, reloadOptions(s.URL, c, f))
	runLocator(t, l)
	require.Equal(t, 5*time.Second, c.pause(t))
	require.Len(t, f.drain(), 1)
	require.Equal(t, "none", regionOf(l))

	s.set(ipRanges("198.51.100.0/24 us-west-2"), "", 0)
	c.tick(t)
	require.Equal(t, time.Minute, c.pause(t))
	require.Equal(t, "us-west-2", regionOf(l))
	require.Empty(t, f.drain())
}

func TestDownloadsAreBounded(t *testing.T) {
	endless := func(w http.ResponseWriter, _ *http.Request) {
		for {
			if _, err := w.Write(make([]byte, 1<<16)); err != nil {
				return
			}
		}
	}
	silent := func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "{")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
	cutOff := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000000")
		fmt.Fprint(w, ipRanges("198.51.100.0/24 us-west-2"))
	}
	for name, tc := range map[string]struct {
		serve   http.HandlerFunc
		timeout time.Duration
		why     string
	}{
		"endless": {endless, waitTimeout, "more than 1000000 bytes"},
		"silent":  {silent, 50 * time.Millisecond, "context deadline exceeded"},
		"cut off": {cutOff, waitTimeout, "unexpected EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(tc.serve)
			t.Cleanup(s.Close)
			c, f := newClock(), &failures{}
			o := reloadOptions(s.URL, c, f)
			o.MaxBytes, o.Timeout = 1_000_000, tc.timeout
			l := newLocator(t, o)
			runLocator(t, l)
			c.pause(t)
			require.Equal(t, "none", regionOf(l))
			failed := f.drain()
			require.Len(t, failed, 1)
			require.Contains(t, failed[0], tc.why)
		})
	}
}

func TestErrorsHideSecretsOfTheURL(t *testing.T) {
	c, f := newClock(), &failures{}
	s := newRangesServer(t, "", "")
	s.Close()
	runLocator(t, newLocator(t, reloadOptions("http://user:secret@"+s.Listener.Addr().String()+"/ranges.json?secret", c, f)))
	c.pause(t)
	failed := f.drain()
	require.Len(t, failed, 1)
	require.Contains(t, failed[0], "load IP ranges from "+s.URL+"/ranges.json: ")
	require.NotContains(t, failed[0], "secret")

	_, err := region.New(reloadOptions("http://user:secret@host:port/", c, f))
	require.ErrorContains(t, err, "not a usable URL")
	require.NotContains(t, err.Error(), "secret")
}
