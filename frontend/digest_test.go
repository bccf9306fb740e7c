package frontend_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
)

func TestExpectedDigestIsRequested(t *testing.T) {
	digest := strings.Repeat("0a", 32)
	for query, want := range map[string]string{
		"?max_wait=0":                  "",
		"?max_wait=0&sha256=" + digest: digest,
		"?sha256=" + strings.ToUpper(digest) + "&max_wait=0": digest,
	} {
		t.Run(query, func(t *testing.T) {
			f := newFixture(t)
			require.Equal(t, source, f.ask(t, "GET", path(query)).location)
			require.Equal(t, []queue.Request{{Pool: "s3_us-west-2", URL: source, Action: queue.Put, SHA256: want}}, f.queue.sent)
		})
	}
}

func TestDigestOfTheFirstClientCounts(t *testing.T) {
	first, later := strings.Repeat("0a", 32), strings.Repeat("0b", 32)
	for name, query := range map[string]string{"a digest": "?sha256=" + first, "no digest": ""} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, func(o *options) { o.MaxWait = time.Minute })
			rules := cachetest.Rules()
			rules.RetryAfter = 50 * time.Millisecond
			f.queue.copy = func(queue.Request) {
				entry := rules.Present(time.Now(), time.Time{})
				if f.queue.requests(queue.Put) == 1 {
					// Another client joins before the copy fails and must be requested again.
					f.leave(t, "GET", path("?sha256="+later))
					entry = rules.Transient(time.Now(), 1, cache.Reason{Class: "SourceUnreachable"})
				}
				_ = f.cache.Put(context.Background(), key(), 0, entry)
			}
			require.Equal(t, copyURL("GET"), f.ask(t, "GET", path(query)).location)
			want := queue.Request{Pool: "s3_us-west-2", URL: source, Action: queue.Put, SHA256: strings.TrimPrefix(query, "?sha256=")}
			require.Equal(t, []queue.Request{want, want}, f.queue.sent)
		})
	}
}
