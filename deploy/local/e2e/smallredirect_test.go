package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestRedirectLeavesSmallObjectsToTheirSource has a front end with a minimum of 1,001 bytes. The
// sources' objects have 1,000 and 1,001.
func TestRedirectLeavesSmallObjectsToTheirSource(t *testing.T) {
	small, large := newSource(t, 1000, nil), newSource(t, 1001, nil)
	p := startProcess(t, "minimum-frontend", sys.Binary(), strings.Fields("frontend --config "+editedConfig(t, func(settingsTree) {})),
		"CLOUD_MIRROR_FRONTEND_MIN_SIZE=1001B")
	get := func(object string) answer { return do(t, http.MethodGet, p.redirectURL(west, object, ""), "") }

	requireCopy(t, large, west, get(large.object()))
	require.Equal(t, 1, large.count(http.MethodGet), "control: a large object is copied")

	object := small.object()
	for range 3 { // The first one waits for the worker's answer.
		a := get(object)
		require.Equal(t, 302, a.status)
		require.Equal(t, object, a.location)
		require.Equal(t, "Object is smaller than the minimum size: 1000 bytes", a.body.Msg)
		require.Equal(t, `cloud-mirror; fwd=miss; detail="too small"`, a.header.Get("Cache-Status"))
	}
	waitClosed(t, west, object, 1, completedStatus)
	require.Equal(t, 1, small.count(http.MethodGet), "later requests cost the source nothing")
	require.Equal(t, smallStatus{Status: "absent", TooSmall: true, Size: 1000}, smallStatusOf(t, object))

	list := fmt.Sprintf(`{"url":%q,"regions":[%q]}`, object, west)
	require.Contains(t, strings.Join(postListTo(t, "http://"+p.listen, list), ""), `"SourceTooSmall"`)
	require.Equal(t, 1, small.count(http.MethodGet))
	workflows(t, west, object, 1)

	// The stack's front ends have no minimum. Their copy is used for all.
	requireCopy(t, small, west, ask(t, west, object, ""))
	waitClosed(t, west, object, 2, completedStatus)
	requireCopy(t, small, west, get(object))
	require.Equal(t, 2, small.count(http.MethodGet))
}
