package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
)

// newLoopingSource redirects each request to the front end, for another object of the source. Every
// copy of one object then requests the copy of the next, without end.
func newLoopingSource(t *testing.T, frontEnd string) *source {
	t.Helper()
	return newSource(t, 1, func(s *source, w http.ResponseWriter, r *http.Request, _ int) {
		http.Redirect(w, r, frontEnd+redirectPath(west, s.URL+"/x"+r.URL.Path, "?max_wait=1s"), http.StatusFound)
	})
}

// TestSourceThatLeadsBack has a source redirect to a front end of the same deployment. The workers
// know one front end by its address, and another only by the CDN-Loop of their own requests.
func TestSourceThatLeadsBack(t *testing.T) {
	unnamed := startProcess(t, "unnamed-frontend", sys.Binary(), []string{"frontend", "--config", sys.ConfigPath()})
	for name, tc := range map[string]struct {
		frontEnd string
		class    string
		status   int // Of the next answer
	}{
		"to a front end that is known":   {sys.FrontEndURLs()[0], "InvalidUrl", http.StatusForbidden},
		"to a front end that is unknown": {"http://" + unnamed.listen, "BadHTTPStatus", http.StatusFound},
	} {
		t.Run(name, func(t *testing.T) {
			s := newLoopingSource(t, tc.frontEnd)
			object := s.URL + "/x?sig=" + secret
			ask(t, west, object, "?max_wait=20s")
			run := waitClosed(t, west, object, 1, enums.WORKFLOW_EXECUTION_STATUS_FAILED)
			require.NotNil(t, run)
			require.Equal(t, 1, s.count(http.MethodGet), "requests to the source out of one copy request")
			a := ask(t, west, object, "?max_wait=0")
			require.Equal(t, tc.status, a.status)
			require.Contains(t, a.body.Err+a.body.Msg, tc.class)
		})
	}
	require.Positive(t, metricAt(t, `cloud_mirror_refused_requests_total`, "http://"+unnamed.admin), "no 508")

	t.Run("directly", func(t *testing.T) {
		s := newSource(t, 1000, nil)
		own := redirectURL(0, west, s.URL+"/file.bin", "")
		a := ask(t, west, own, "")
		require.Equal(t, http.StatusForbidden, a.status)
		require.Equal(t, "InvalidUrl", a.body.Err)
		require.Zero(t, s.count(http.MethodGet))
	})
}

// TestMirrorOfAMirror copies an object from another deployment's front end.
func TestMirrorOfAMirror(t *testing.T) {
	other := startProcess(t, "other-frontend", sys.Binary(), strings.Fields("frontend --config "+sys.ConfigPath()),
		"CLOUD_MIRROR_FRONTEND_LOOP_ID=other")
	s := newSource(t, 1000, nil)
	through := other.redirectURL(east, s.URL+"/file.bin", "?max_wait=20s")
	a := ask(t, west, through, "?max_wait="+(30*time.Second).String())
	requireCopy(t, s, west, a)
	require.Equal(t, 1, s.count(http.MethodGet))
}
