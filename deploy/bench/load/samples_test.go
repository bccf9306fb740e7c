package load_test

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/cloud-mirror/cloud-mirror/deploy/bench/load"
)

func TestQuantileCountsFailures(t *testing.T) {
	s := load.Merge(load.Samples{Took: []float64{1, 2}, Failed: map[string]int{"time-out": 1}}, load.Samples{Took: []float64{3}})
	if s.Failures() != 1 || s.Quantile(.5) != 2 || s.Quantile(.75) != 3 || !math.IsInf(s.Quantile(1), 1) {
		t.Errorf("the samples are %v", s)
	}
	if got := (load.Samples{}).Quantile(.5); !math.IsInf(got, 1) {
		t.Errorf("the median of nothing is %g", got)
	}
}

// TestRecorder sends a request for each answer of a front end. The last ones are late.
func TestRecorder(t *testing.T) {
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/copy":
			w.Header().Set("Location", "https://bucket.example.com/key?X-Amz-Signature=abc")
			w.WriteHeader(http.StatusFound)
		case "/source":
			w.Header().Set("Location", "https://example.com/file")
			w.WriteHeader(http.StatusFound)
			fmt.Fprint(w, `{"url":"https://example.com/file","msg":"Too slow"}`)
		case "/hangs":
			<-r.Context().Done()
		default:
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer front.Close()
	c := load.NewClient("127.0.0.2", 1, 200*time.Millisecond)
	defer c.CloseIdleConnections()
	var r load.Recorder
	request := func(path string, late time.Duration) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, front.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Request(c, req, time.Now().Add(-late), time.Minute)
	}
	request("/copy", time.Second)
	request("/source", 0)
	request("/other", 0)
	request("/hangs", 0)
	request("/copy", 2*time.Minute)
	s := r.Samples()
	if len(s.Took) != 1 || s.Took[0] < 1000 {
		t.Errorf("a request that was due a second ago took %v ms", s.Took)
	}
	const want = "1 × 503 Service Unavailable, 1 × redirect to the source: Too slow, 1 × time-out, 1 × too late to send"
	if got := load.DescribeCounts(s.Failed); got != want {
		t.Errorf("the failures are %s, want %s", got, want)
	}
}

func TestTallyIsServed(t *testing.T) {
	var tally load.Tally
	for range 3 {
		tally.Count("b")
	}
	tally.Count("a")
	w := httptest.NewRecorder()
	tally.ServeHTTP(w, httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/", nil))
	if got := w.Body.String(); got != `{"a":1,"b":3}`+"\n" {
		t.Errorf("the tally is %s", got)
	}
	if got := load.DescribeCounts(tally.Counts()); got != "3 × b, 1 × a" {
		t.Errorf("the counts are %s", got)
	}
}
