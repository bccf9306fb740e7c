package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/auditor"
)

// TestDeletedCopyIsMadeAgain deletes a copy in its bucket behind the back of cloud-mirror. A front
// end notices, and from then on every redirect leads to a copy.
func TestDeletedCopyIsMadeAgain(t *testing.T) {
	s := newSource(t, 1000, nil)
	s.excepts(auditor.Fetches, "the test deletes the copy, so that it is made again")
	object := s.object()
	frontEnd := startProcess(t, "verifying-frontend", sys.Binary(), strings.Fields("frontend --config "+sys.ConfigPath()),
		"CLOUD_MIRROR_CACHE_VERIFY_EVERY=1s")
	ask := func() answer {
		return do(t, http.MethodGet, frontEnd.redirectURL(west, object, ""), "")
	}
	missing := func() float64 {
		return metricAt(t, "cloud_mirror_missing_copies_total", "http://"+frontEnd.admin)
	}
	requireCopy(t, s, west, ask())
	requireCopy(t, s, west, do(t, http.MethodGet, redirectURL(1, west, object, ""), ""))
	require.Zero(t, missing())

	status, body, _ := s3Call(t, http.MethodDelete, west, keyOf(t, object), "")
	require.Equal(t, 204, status, string(body))
	require.Equal(t, 404, head(t, west, object).status)
	require.Equal(t, 1, s.count(http.MethodGet))
	eventually(t, func() bool {
		if missing() > 0 {
			return true
		}
		require.True(t, ask().isCopy())
		return false
	}, "the front end notices that the copy is missing")
	for range 20 {
		requireCopy(t, s, west, ask())
		requireCopy(t, s, west, do(t, http.MethodGet, redirectURL(1, west, object, ""), ""))
	}
	require.Equal(t, 2, s.count(http.MethodGet), "the copy is made once more")
	require.InDelta(t, 1, missing(), 0)
}
