package frontend_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
	"github.com/cloud-mirror/cloud-mirror/frontend/requestid"
)

const given = "client-7 of build 12"

// TestRequestID requests with an id of the client. Hits have none, from the router and from memory.
func TestRequestID(t *testing.T) {
	auth := []string{"Authorization", "Bearer " + token}
	for name, tc := range map[string]struct {
		method, path string
		hit          bool
		want         string
		header       []string
	}{
		"hits":                      {"GET", path(""), true, "", nil},
		"a copy that is requested":  {"GET", path("?max_wait=0"), false, given, nil},
		"an invalid request":        {"GET", "/v1/redirect/s3/us-west-2/x", false, given, nil},
		"a path that passes":        {"GET", "/v1/mirror/s3/us-west-2/example.com/x", false, given, nil},
		"a purge":                   {"DELETE", "/v1/purge" + strings.TrimPrefix(path(""), "/v1/redirect"), false, given, auth},
		"a status":                  {"GET", "/v1/status" + strings.TrimPrefix(path(""), "/v1/redirect"), false, given, nil},
		"an unknown route":          {"GET", "/v2", false, given, nil},
		"a request from the mirror": {"GET", path(""), false, given, []string{"CDN-Loop", "self"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, mirroring, func(o *options) { o.LoopID = "self" })
			if tc.hit {
				f.put(t, cachetest.Rules().Present(time.Now(), cache.Copy{}))
			}
			for range 2 {
				a := f.ask(t, tc.method, tc.path, append(tc.header, requestid.Header, given)...)
				require.Equal(t, tc.hit, a.header.Get("Cache-Status") == "cloud-mirror; hit")
				require.Equal(t, tc.want, a.header.Get(requestid.Header))
			}
		})
	}
}

// TestRequestIDInLogs finds one request in the message and in the log lines of its copy.
func TestRequestIDInLogs(t *testing.T) {
	for name, tc := range map[string]struct {
		offered string
		taken   bool
	}{
		"taken": {given, true}, "none": {"", false}, "too long": {strings.Repeat("x", 129), false}, "forged": {"a\nb", false},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			f := newFixture(t, func(o *options) {
				o.Log = zerolog.New(&log)
				o.flight.Log = o.Log
			})
			a := f.ask(t, "GET", path("?max_wait=0"), requestid.Header, tc.offered)
			require.Equal(t, http.StatusFound, a.status)
			id := a.header.Get(requestid.Header)
			require.True(t, requestid.Valid(id))
			require.Equal(t, tc.taken, id == tc.offered)
			require.Equal(t, 1, f.queue.requests(queue.Put))
			require.Equal(t, []string{id}, f.queue.ids)

			require.NotContains(t, log.String(), "secret")
			var messages []string
			for line := range strings.Lines(log.String()) {
				var fields map[string]any
				require.NoError(t, json.Unmarshal([]byte(line), &fields))
				require.Equal(t, id, fields["request_id"], line)
				require.Equal(t, object().Key(), fields["object"], line)
				require.Equal(t, "s3_us-west-2", fields["pool"], line)
				messages = append(messages, fields["level"].(string)+" "+fields["message"].(string))
			}
			require.Equal(t, []string{"info copy requested", "debug redirect"}, messages)
		})
	}
}
