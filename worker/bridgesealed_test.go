package worker_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/seal"
	"github.com/cloud-mirror/cloud-mirror/workflows"
)

// Keys of front ends and workers.
const (
	keyA = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	keyB = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="
)

func withKeys(t *testing.T, keys ...string) *seal.Sealer {
	t.Helper()
	s, err := seal.New(keys)
	require.NoError(t, err)
	return s
}

// sealed returns a request as a front end with the keys sends it.
func sealed(t *testing.T, keys ...string) queue.Request {
	t.Helper()
	r := request(queue.Put)
	o := withKeys(t, keys...).Seal(storage.Object{Service: "s3", Region: "us-west-2", URL: r.URL})
	r.URL, r.SealedQuery, r.Hash = o.URL, o.Query, o.Hash
	return r
}

// handle has a bridge with the keys handle a message. It returns the URL of the copy that it
// started.
func handle(t *testing.T, body string, keys ...string) (string, error) {
	t.Helper()
	r, err := queue.Decode(body)
	require.NoError(t, err)
	started := ""
	b, _ := newBridge(t, &temporalDouble{start: func(_ client.StartWorkflowOptions, in workflows.CopyObjectInput) error {
		data, err := json.Marshal(in)
		require.NoError(t, err)
		require.NotContains(t, string(data), "secret")
		object, err := withKeys(t, keys...).Open(in.Source)
		require.NoError(t, err)
		started = object.URL
		return nil
	}})
	b.Sealer = withKeys(t, keys...)
	err = b.Handle(t.Context(), r)
	return started, err
}

// TestRotationOfQueryKeys follows a rotation from A to B: workers get each step before front ends.
// A message that a bridge can't open becomes a dead letter, and is handled after its redrive.
func TestRotationOfQueryKeys(t *testing.T) {
	const url = "https://example.com/a.zip?sig=secret"
	for i, step := range []struct {
		frontEnds, workers []string
		dead               bool
	}{
		{frontEnds: []string{keyA}, workers: []string{keyA}},
		{frontEnds: []string{keyA}, workers: []string{keyA, keyB}}, // 1. Workers open B
		{frontEnds: []string{keyA, keyB}, workers: []string{keyA, keyB}},
		{frontEnds: []string{keyA, keyB}, workers: []string{keyB, keyA}}, // 2. Workers seal with B
		{frontEnds: []string{keyB, keyA}, workers: []string{keyB, keyA}},
		{frontEnds: []string{keyB}, workers: []string{keyB, keyA}}, // 3. Front ends forget A
		{frontEnds: []string{keyB}, workers: []string{keyB}},
		{frontEnds: []string{keyB}, workers: []string{keyA}, dead: true}, // The wrong order
		{frontEnds: []string{keyA}, workers: []string{keyB}, dead: true}, // A redriven dead letter of long ago
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			body, err := queue.Encode(sealed(t, step.frontEnds...))
			require.NoError(t, err)
			require.NotContains(t, body, "secret")
			started, err := handle(t, body, step.workers...)
			if !step.dead {
				require.NoError(t, err)
				require.Equal(t, url, started)
				return
			}
			var reject *queue.RejectError
			require.ErrorAs(t, err, &reject)
			require.Empty(t, started)
			require.Contains(t, reject.Reason, "source.query_keys")
			require.Contains(t, reject.Reason, "redrive")
			started, err = handle(t, body, append(step.workers, step.frontEnds...)...)
			require.NoError(t, err)
			require.Equal(t, url, started)
		})
	}
}

func TestAChangedSealedRequestIsRejected(t *testing.T) {
	for name, edit := range map[string]func(*queue.Request){
		"nothing":       func(*queue.Request) {},
		"another URL":   func(r *queue.Request) { r.URL = "https://example.com/b.zip" },
		"another hash":  func(r *queue.Request) { r.Hash = strings.Repeat("0a", 32) },
		"another query": func(r *queue.Request) { r.SealedQuery = "AAAA" },
		"not sealed":    func(r *queue.Request) { r.SealedQuery = "secret" },
	} {
		t.Run(name, func(t *testing.T) {
			r := sealed(t, keyA)
			edit(&r)
			body, err := queue.Encode(r)
			require.NoError(t, err)
			started, err := handle(t, body, keyA)
			if name == "nothing" {
				require.NoError(t, err)
				require.NotEmpty(t, started)
				return
			}
			var reject *queue.RejectError
			require.ErrorAs(t, err, &reject)
			require.Empty(t, started)
			require.NotContains(t, reject.Reason, "secret")
		})
	}
	// A sealed URL is admitted like any other.
	r := request(queue.Put)
	o := withKeys(t, keyA).Seal(storage.Object{Service: "s3", Region: "us-west-2", URL: "https://evil.example/?sig=secret"})
	r.URL, r.SealedQuery, r.Hash = o.URL, o.Query, o.Hash
	body, err := queue.Encode(r)
	require.NoError(t, err)
	_, err = handle(t, body, keyA)
	require.ErrorContains(t, err, "data.url: not allowed")
}

// decodeVersion1 is the decoder of bridges before 2026-11-26, as far as it matters here.
func decodeVersion1(body string) (queue.Request, error) {
	var e struct {
		Version int
		Data    *queue.Request
	}
	if err := json.Unmarshal([]byte(body), &e); err != nil {
		return queue.Request{}, err
	}
	if e.Version != 1 || e.Data == nil {
		return queue.Request{}, errors.New("version is 2, want 1")
	}
	return *e.Data, nil
}

// TestMixedFleet has an earlier bridge get the messages of present front ends, and the reverse. An
// earlier bridge never copies the URL without its query.
func TestMixedFleet(t *testing.T) {
	plain := request(queue.Put)
	plain.URL = "https://example.com/a.zip"
	body, err := queue.Encode(plain)
	require.NoError(t, err)
	want := `{"version":1,"data":{"id":"s3_us-west-2","url":"https://example.com/a.zip","action":"put"}}`
	require.Equal(t, strings.Split(want, ","), strings.Split(body, ","), "byte for byte")
	old, err := decodeVersion1(body)
	require.NoError(t, err)
	require.Equal(t, plain, old)

	body, err = queue.Encode(sealed(t, keyA))
	require.NoError(t, err)
	_, err = decodeVersion1(body)
	require.EqualError(t, err, "version is 2, want 1", "a dead letter, to be redriven")
	started, err := handle(t, body, keyA)
	require.NoError(t, err)
	require.Equal(t, "https://example.com/a.zip?sig=secret", started)

	// An earlier front end, or a person, sends the query as it is.
	started, err = handle(t, `{"version":1,"data":{"id":"s3_us-west-2","url":"https://example.com/a.zip?sig=secret","action":"put"}}`, keyA)
	require.NoError(t, err)
	require.Equal(t, "https://example.com/a.zip?sig=secret", started)
}
