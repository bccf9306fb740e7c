package queue_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
)

// FuzzDecode checks that a message that is accepted is complete, and means the same when it is sent
// again. The error of any other message repeats nothing of it.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{"version":1,"data":{"id":"s3_us-west-2","url":"https://example.com/","action":"put"}}`,
		`{"version":1,"data":{"id":"p","url":"u","action":"purge","generation":9007199254740993}}`,
		`{"version":1,"data":{"id":"p","url":"u","action":"audit"}}`, `{"version":1,"data":{"id":"p","url":"u","action":"refresh"}}`,
		`{"version":1,"data":{"id":"p","url":"u","action":"delete","generation":1}}`,
		`{"version":1,"data":{"id":"p","url":"u","action":"put","sha256":"` + strings.Repeat("0a", 32) + `","minSize":1,"priority":"low"}}`,
		`{"version":2,"data":{"id":"p","url":"u","sealedQuery":"AAAA","hash":"` + strings.Repeat("0a", 32) + `","action":"put"}}`,
		`{"version":1,"data":{"id":"p","url":"u","action":"put","URL":"v"},"data":{"id":"q"}}`,
		`{"version":1.0,"data":null}`, `{"version":1,"data":{"id":"p","url":"\ud800","action":"put"}}`, "{", "null", "[]", `{"version":"1"}`,
		`{"version":1,"data":{"id":"p","url":"u","action":"eat"}}`, strings.Repeat("[", 10000),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		r, err := queue.Decode(body)
		if err != nil {
			if r != (queue.Request{}) {
				t.Fatalf("%q: a request beside the error %v", body, err)
			}
			if text := err.Error(); len(text) > 200 || !utf8.ValidString(text) {
				t.Fatalf("%q: error %q", body, text)
			}
			return
		}
		if r.Pool == "" || r.URL == "" || r.MinSize < 0 || r.Priority != "" && r.Priority != queue.Low {
			t.Fatalf("%q: accepted as %+v", body, r)
		}
		switch r.Action {
		case queue.Put, queue.Cancel, queue.Audit, queue.Refresh, queue.Delete:
		default:
			t.Fatalf("%q: accepted as %+v", body, r)
		}
		if r.SHA256 != "" && (len(r.SHA256) != 64 || strings.Trim(r.SHA256, "0123456789abcdef") != "") {
			t.Fatalf("%q: accepted as %+v", body, r)
		}
		again, err := queue.Encode(r)
		if err != nil {
			t.Fatalf("%q: %v", body, err)
		}
		if second, err := queue.Decode(again); err != nil || second != r {
			t.Fatalf("%q: %+v becomes %q, and that %+v, %v", body, r, again, second, err)
		}
	})
}
