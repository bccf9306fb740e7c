package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMirrorHitsAreAudited has a front end audit every tenth hit of an upstream. Many hits audit an
// object once, although its source changes, and so do two front ends. The worker counts it by upstream, and purges the copy.
// Hits of the redirect route are the control: they audit nothing.
func TestMirrorHitsAreAudited(t *testing.T) {
	for _, w := range workers() {
		pause(t, w)
	}
	s := newRanged(t, 1000, nil)
	root := upstreamURL(s.URL)
	config := editedConfig(t, func(c settingsTree) {
		c["mirror"] = settingsTree{
			"upstreams": []settingsTree{{"name": "double", "url": root, "copy": []string{"^/"}}}, "min_size": "0B",
			"audit_every": 10, "audit_purge": true,
		}
	})
	p := startProcess(t, "auditing-frontend", sys.Binary(), strings.Fields("frontend --config "+config))
	w := startProcess(t, "auditing-worker", sys.Binary(), strings.Fields("worker --pool s3_"+west+" --config "+config))
	counted := func(result string) float64 { return auditsAt(t, "http://"+w.admin, "double", result) }
	require.Zero(t, counted("different"))
	object, other := upstreamObject(s.source), upstreamObject(s.source)
	get := func(p *process, object string) answer {
		path := strings.TrimPrefix(object, root+"/")
		return do(t, http.MethodGet, "http://"+p.listen+"/v1/mirror/s3/"+west+"/double/"+path, "")
	}
	mirror := func() answer { return get(p, object) }
	requireCopy(t, s.source, west, mirror())
	for range 100 {
		require.True(t, do(t, http.MethodGet, p.redirectURL(west, object, ""), "").isCopy())
	}
	require.Empty(t, maintenanceRuns(t, "audit", object))
	require.Zero(t, s.count(http.MethodHead))

	s.change()
	for range 8 { // With the first one, nine hits.
		require.True(t, mirror().isCopy())
	}
	require.Empty(t, maintenanceRuns(t, "audit", object))
	mirror()
	maintained(t, "audit", object, 1)
	eventually(t, func() bool { return counted("different") == 1 }, "the change is counted")
	require.Equal(t, 404, head(t, west, object).status)
	requireCopy(t, s.source, west, mirror())

	// A front end audits an upstream at most once a second, so a second one has to try. Its audit of
	// the other object shows that it has tried this object before.
	second := startProcess(t, "second-frontend", sys.Binary(), strings.Fields("frontend --config "+config))
	for range 10 {
		require.True(t, get(second, object).isCopy())
	}
	eventually(t, func() bool {
		require.True(t, get(second, other).isCopy())
		return counted("same") == 1
	}, "the other object is audited")
	maintained(t, "audit", other, 1)
	maintained(t, "audit", object, 1)
	require.InDelta(t, 1, counted("different"), 0, "one object is audited once an hour")
	require.Equal(t, 4, s.count(http.MethodGet), "three copies, and the GET that confirms the change")
	require.Equal(t, 2, s.count(http.MethodHead))
}
