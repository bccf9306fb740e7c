package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMirrorLeavesSmallObjectsToTheirSource has a front end with a minimum of 1,001 bytes. The
// source's objects have 1,000.
func TestMirrorLeavesSmallObjectsToTheirSource(t *testing.T) {
	small, large := newSource(t, 1000, nil), newSource(t, 1001, nil)
	var upstreams []settingsTree
	for _, s := range []*source{small, large} {
		upstreams = append(upstreams, settingsTree{"url": upstreamURL(s.URL), "copy": []string{"^/"}})
	}
	config := editedConfig(t, func(c settingsTree) {
		c["mirror"] = settingsTree{"upstreams": upstreams, "min_size": "1001B"}
	})
	p := startProcess(t, "mirror-frontend", sys.Binary(), strings.Fields("frontend --config "+config))
	get := func(object string) answer {
		return do(t, http.MethodGet, "http://"+p.listen+"/v1/mirror/s3/"+west+"/"+strings.TrimPrefix(object, "http://"), "")
	}

	o := upstreamObject(large)
	requireCopy(t, large, west, get(o))
	require.Equal(t, 1, large.count(http.MethodGet), "control: a large object is copied")

	o = upstreamObject(small)
	for range 3 { // The first one waits for the worker's answer.
		a := get(o)
		require.Equal(t, 302, a.status)
		require.Equal(t, o, a.location)
	}
	waitClosed(t, west, o, 1, completedStatus)
	require.Equal(t, 1, small.count(http.MethodGet), "later requests cost the source nothing")

	requireCopy(t, small, west, ask(t, west, o, ""))
	waitClosed(t, west, o, 2, completedStatus)
	requireCopy(t, small, west, get(o))
	require.Equal(t, 2, small.count(http.MethodGet))
	require.Len(t, workflows(t, west, o, 2), 2)
}
