package frontend_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
)

// TestLoops sends requests with this deployment, or another, in CDN-Loop.
func TestLoops(t *testing.T) {
	const id = "cloud-mirror-test"
	for name, tc := range map[string]struct {
		header string
		loop   bool
	}{
		"no header":               {"", false}, // control
		"this deployment":         {id, true},
		"in other case":           {"Cloud-Mirror-TEST", true},
		"with parameters":         {id + `; abc=123; def="456"`, true},
		"behind other CDNs":       {"foo123.foocdn.example, barcdn.example; trace=\"a\"\t,  " + id, true},
		"another deployment":      {"cloud-mirror-other", false}, // A mirror of a mirror.
		"a longer name":           {id + "2", false},
		"a shorter name":          {"cloud-mirror", false},
		"a CDN":                   {"foo123.foocdn.example", false},
		"in a parameter, unusual": {"foo.example; via=" + id, false},
	} {
		for _, known := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				f := newFixture(t, func(o *options) { o.LoopID = id })
				if known { // The path is served without the router.
					f.put(t, cachetest.Rules().Present(time.Now(), cache.Copy{}))
					require.Equal(t, copyURL("GET"), f.ask(t, "GET", path("")).location)
				}
				var header []string
				if tc.header != "" {
					header = []string{"CDN-Loop", tc.header}
				}
				a := f.ask(t, "GET", path(""), header...)
				if !tc.loop {
					require.Equal(t, 302, a.status)
					return
				}
				require.Equal(t, 508, a.status)
				require.Equal(t, "LoopDetected", a.body["code"])
				require.Empty(t, a.location)
				require.Zero(t, f.queue.requests(queue.Put), "a copy was requested")
			})
		}
	}
}

func TestNoLoopWithoutAnID(t *testing.T) {
	f := newFixture(t)
	require.Equal(t, 302, f.ask(t, "GET", path(""), "CDN-Loop", "").status)
	require.Equal(t, 1, f.queue.requests(queue.Put))
}
