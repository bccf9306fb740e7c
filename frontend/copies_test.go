package frontend_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
	"github.com/cloud-mirror/cloud-mirror/storage/storagetest"
)

// warmed is a line of the answer to a list.
type warmed struct {
	Line                                       int
	URL, Region, Status, StatusURL, WorkflowID string
	Attempts                                   int
	NextRetry                                  time.Time
	Error                                      *struct{ Code, Message string }
}

// warm sends a list and returns its answers, by line of the list and region.
func (f *fixture) warm(t *testing.T, list, token string) (status int, answers map[string]warmed) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/copies", strings.NewReader(list))
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("From", "192.0.2.1")
	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, r)
	answers = map[string]warmed{}
	for lines := bufio.NewScanner(w.Body); lines.Scan(); {
		var a warmed
		require.NoError(t, json.Unmarshal(lines.Bytes(), &a))
		name := fmt.Sprintf("%d %s %s", a.Line, a.URL, a.Region)
		if _, again := answers[name]; again {
			require.Fail(t, "answered twice", name)
		}
		answers[name] = a
	}
	return w.Code, answers
}

func TestListOfCopies(t *testing.T) {
	f := newFixture(t)
	f.store(t, "0") // The source, in us-west-2.
	failed := "https://example.com/gone"
	require.NoError(t, f.cache.Put(t.Context(), cacheKey(failed), 0, cachetest.Rules().Failed(time.Now(), cache.Reason{Class: "BadHTTPStatus", Status: 404, AboutObject: true, Text: "private"})))
	list := strings.Join([]string{
		`{"url":"` + source + `","regions":["us-west-2","us-east-1"]}`,
		`{"urls":["https://example.com/1","https://example.com/2"],"regions":["all"]}`,
		``,
		`not JSON`,
		`{"url":"https://example.com/3","regions":["mars-1","us-west-2"]}`,
		`{"url":"https://evil.example/x?sig=secret","regions":["us-west-2"]}`,
		`{"url":"https://example.com/3","region":"us-west-2"}`,
		`{"url":"https://example.com/3"}`,
		`{"url":"HTTPS://EXAMPLE.com/1","regions":["us-west-2"]}`,
		`{"url":"` + failed + `","regions":["us-west-2"]}`,
		`{"url":"https://example.com/4","service":"gcs","regions":["us-west-2"]}`,
		`{"url":"https://example.com/last","regions":["us-west-2"]}`,
		`{"urls":["https://example.com/5","https://example.com/5"],"url":"https://example.com/5","regions":["us-east-1","all","us-east-1"]}`,
		`{"urls":["` + strings.Repeat("x", 8<<10+1) + `"],"regions":["us-west-2"]}`,
		`{"url":"` + strings.Repeat("x", 8<<10+1) + `","regions":["us-west-2"]}`,
		`{"urls":["https://example.com/6",7],"regions":["us-west-2"]}`,
		`{"urls":null,"url":"https://example.com/6","regions":{}}`,
		`{"urls":null,"url":"https://example.com/7","regions":["us-west-2"]}`,
	}, "\n")
	status, answers := f.warm(t, list, token)
	require.Equal(t, 200, status)
	summary := map[string]string{}
	for name, a := range answers {
		summary[name] = a.Status
		if a.Error != nil {
			summary[name] += " " + a.Error.Code
		}
		if a.Status != "" {
			require.Equal(t, 200, f.ask(t, "GET", a.StatusURL).status, a.StatusURL)
		}
	}
	require.Equal(t, map[string]string{
		"1 " + source + " us-west-2":                    "present",
		"1 " + source + " us-east-1":                    "pending",
		"2 https://example.com/1 us-west-2":             "pending",
		"2 https://example.com/1 us-east-1":             "pending",
		"2 https://example.com/2 us-west-2":             "pending",
		"2 https://example.com/2 us-east-1":             "pending",
		"4  ":                                           " InputError",
		"5 https://example.com/3 mars-1":                " ResourceNotFound",
		"5 https://example.com/3 us-west-2":             "pending",
		"6 https://evil.example/x?sig=secret us-west-2": " InvalidUrl",
		"7  ":                                   " InputError",
		"8  ":                                   " InputError",
		"9 https://example.com/1 us-west-2":     "pending", // Twice in the list, copied once.
		"10 https://example.com/gone us-west-2": "error BadHTTPStatus",
		"11 https://example.com/4 us-west-2":    " ResourceNotFound",
		"12 https://example.com/last us-west-2": "pending",
		"13 https://example.com/5 us-east-1":    "pending",
		"13 https://example.com/5 us-west-2":    "pending",
		"14  ":                                  " InputError",
		"15  ":                                  " InputError",
		"16  ":                                  " InputError",
		"17  ":                                  " InputError",
		"18 https://example.com/7 us-west-2":    "pending",
	}, summary)
	require.Equal(t, 10, f.queue.requests(queue.Put))
	for _, r := range f.queue.sent {
		require.Equal(t, queue.Low, r.Priority)
	}
	// A client's request for one of them joins the same copy.
	require.Equal(t, 302, f.ask(t, "GET", "/v1/redirect/s3/us-west-2/https%3A%2F%2Fexample.com%2F2?max_wait=0").status)
	require.Equal(t, 10, f.queue.requests(queue.Put))
}

func TestListOfCopiesNeedsTheToken(t *testing.T) {
	f := newFixture(t)
	for _, wrong := range []string{"", "nope"} {
		status, _ := f.warm(t, `{"url":"`+source+`","regions":["us-west-2"]}`, wrong)
		require.Equal(t, 401, status)
	}
	require.Zero(t, f.queue.requests(queue.Put))
}

func TestListOfCopiesIsLimited(t *testing.T) {
	f := newFixture(t)
	line := func(i int) string {
		return fmt.Sprintf(`{"url":"https://example.com/%d","regions":["us-west-2"]}`+"\n", i)
	}
	var list strings.Builder
	for i := range 10_001 {
		list.WriteString(line(i))
	}
	_, answers := f.warm(t, list.String(), token)
	require.Len(t, answers, 10_001)
	require.Equal(t, "InputError", answers["10001  "].Error.Code)
	require.Equal(t, 10_000, f.queue.requests(queue.Put))

	_, answers = f.warm(t, line(20_000)+`{"url":"`+strings.Repeat("x", 5<<20)+`"}`, token)
	require.Equal(t, "pending", answers["1 https://example.com/20000 us-west-2"].Status)
	require.Contains(t, answers["2  "].Error.Message, "longer than 4 MiB")
}

func TestListOfCopiesIsPaced(t *testing.T) {
	f := newFixture(t, func(o *options) { o.flight.WarmRate = 50 })
	start := time.Now()
	_, answers := f.warm(t, `{"urls":["https://example.com/`+strings.Join(strings.Split("abcdefghijk", ""), `","https://example.com/`)+`"],"regions":["us-west-2"]}`, token)
	require.Len(t, answers, 11)
	require.GreaterOrEqual(t, time.Since(start), 10*time.Second/50)
}

func TestListOfCopiesWithoutDependencies(t *testing.T) {
	down := errors.New("down")
	const list = `{"url":"` + source + `","regions":["us-west-2"]}`
	const name = "1 " + source + " us-west-2"
	t.Run("SQS", func(t *testing.T) {
		f := newFixture(t)
		f.queue.err = down
		_, answers := f.warm(t, list, token)
		require.Equal(t, "ServiceUnavailable", answers[name].Error.Code)
		e, err := f.cache.Get(t.Context(), key())
		require.NoError(t, err)
		require.Equal(t, cache.Absent, e.State, "a lease was left behind")
	})
	t.Run("redis", func(t *testing.T) {
		f := newFixture(t)
		f.cache.Fail(down)
		_, answers := f.warm(t, list, token)
		require.Equal(t, "pending", answers[name].Status)
		require.Equal(t, 1, f.queue.requests(queue.Put))
	})
	t.Run("S3", func(t *testing.T) {
		f := newFixture(t)
		f.bucket.Err = down
		_, answers := f.warm(t, list, token)
		require.Equal(t, "pending", answers[name].Status)
	})
}

// A client reads each answer while it still sends the list.
func TestListOfCopiesIsStreamed(t *testing.T) {
	f := newFixture(t)
	server := httptest.NewServer(f.handler)
	t.Cleanup(server.Close)
	list, lines := io.Pipe()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/v1/copies", list)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+token)
	response := make(chan *http.Response, 1)
	go func() {
		resp, err := http.DefaultClient.Do(r)
		if err == nil {
			response <- resp
		}
	}()
	var answers *bufio.Scanner
	for i := range 3 {
		_, err := fmt.Fprintf(lines, `{"url":"https://example.com/%d","regions":["us-west-2"]}`+"\n", i)
		require.NoError(t, err)
		if answers == nil {
			select {
			case resp := <-response:
				t.Cleanup(func() { resp.Body.Close() })
				require.Equal(t, "application/x-ndjson", resp.Header.Get("Content-Type"))
				answers = bufio.NewScanner(resp.Body)
			case <-time.After(5 * time.Second):
				require.Fail(t, "no answer before the end of the list")
			}
		}
		require.True(t, answers.Scan())
		require.Contains(t, answers.Text(), fmt.Sprintf(`"line":%d,`, i+1))
	}
	require.NoError(t, lines.Close())
	require.False(t, answers.Scan())
}

// The rest of a list costs nothing once its client has left.
func TestListWhoseClientLeaves(t *testing.T) {
	const objects = 1000
	bucket := &headedBucket{Memory: &storagetest.Memory{}}
	f := newFixture(t, func(o *options) {
		o.flight.Pools[0].Bucket, o.flight.WarmRate = bucket, 1
	})
	var urls []string
	for i := range objects {
		urls = append(urls, fmt.Sprintf("https://example.com/%d", i))
	}
	line, err := json.Marshal(map[string]any{"urls": urls, "regions": []string{"us-west-2"}})
	require.NoError(t, err)
	ctx, leave := context.WithCancel(t.Context())
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/v1/copies", bytes.NewReader(line))
	r.Header.Set("Authorization", "Bearer "+token)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		f.handler.ServeHTTP(httptest.NewRecorder(), r)
	}()
	require.Eventually(t, func() bool { return f.queue.requests(queue.Put) > 0 }, 10*time.Second, time.Millisecond, "control: it is served")
	leave()
	select {
	case <-ended:
	case <-time.After(30 * time.Second):
		require.Fail(t, "the list is still served")
	}
	require.Less(t, bucket.heads.Load(), int64(objects/10), "HEADs of the bucket")
}

// A front end that is shutting down requests nothing, so it looks for nothing either.
func TestListDuringShutdown(t *testing.T) {
	bucket := &headedBucket{Memory: &storagetest.Memory{}}
	f := newFixture(t, func(o *options) { o.flight.Pools[0].Bucket = bucket })
	_, answers := f.warm(t, `{"url":"https://example.com/1","regions":["us-west-2"]}`, token)
	require.Equal(t, "pending", answers["1 https://example.com/1 us-west-2"].Status)
	require.EqualValues(t, 1, bucket.heads.Load(), "control")
	f.flights.Stop()
	_, answers = f.warm(t, `{"url":"https://example.com/2","regions":["us-west-2"]}`, token)
	require.Equal(t, "ServiceUnavailable", answers["1 https://example.com/2 us-west-2"].Error.Code)
	require.EqualValues(t, 1, bucket.heads.Load())
}

func TestListsAtTheSameTimeAreLimited(t *testing.T) {
	f := newFixture(t, func(o *options) { o.MaxLists = 2 })
	address := f.serve(t)
	open := func() *client {
		c := dial(t, address)
		c.send(t, request(http.MethodPost, "/v1/copies", "Authorization: Bearer "+token, "Content-Length: 1000"))
		return c
	}
	first, second := open(), open()
	for _, c := range []*client{first, second} {
		c.send(t, `{"url":"`+source+`","regions":["us-west-2"]}`+"\n")
		require.NoError(t, c.SetReadDeadline(time.Now().Add(5*time.Second)))
		response, err := http.ReadResponse(c.answers, nil)
		require.NoError(t, err)
		require.Equal(t, 200, response.StatusCode)
	}
	refused := open() // It sends nothing.
	response, body := refused.receive(t, http.MethodPost, time.Second)
	require.Equal(t, 503, response.StatusCode)
	require.Equal(t, "5", response.Header.Get("Retry-After"))
	require.JSONEq(t, `{"code":"ServiceUnavailable","message":"Too many lists are served, try again"}`, body)
	refused.requireClosed(t, 2*time.Second)
	require.InDelta(t, 1, f.metric(t, "cloud_mirror_refused_lists_total"), 0)

	// A list whose client leaves frees its place at once.
	require.NoError(t, first.Close())
	require.Eventually(t, func() bool {
		status, _ := f.warm(t, `{"url":"`+source+`","regions":["us-west-2"]}`, token)
		return status == 200
	}, time.Second, 10*time.Millisecond)
}
