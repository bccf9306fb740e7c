package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
)

func TestExpectedSHA256(t *testing.T) {
	for name, size := range map[string]int{"one request": 300_000, "parallel ranges": 22*mib + 4321} {
		t.Run(name, func(t *testing.T) {
			s := newRanged(t, size, nil)
			sum := sha256.Sum256(s.body)
			right, other := hex.EncodeToString(sum[:]), strings.Repeat("0a", 32)
			digest := func(object string) string {
				_, _, header := s3Call(t, http.MethodHead, east, keyOf(t, object), "")
				return header.Get("X-Amz-Meta-Cloud-Mirror-Sha256")
			}

			object := s.object()
			a := ask(t, east, object, "?sha256="+other)
			require.Equal(t, 302, a.status)
			require.Equal(t, object, a.location)
			require.Equal(t, "Object could not be copied: DigestMismatch", a.body.Msg)
			w := waitClosed(t, east, object, 1, enums.WORKFLOW_EXECUTION_STATUS_FAILED)
			require.EqualValues(t, 1, activities(t, w)["StreamCopy"].attempts, "attempts at a copy with the wrong digest")
			requireNothing(t, east, object)
			require.EqualValues(t, size, s.sent.Load(), "bytes fetched")
			// The failure does not affect a request with another digest.
			eventually(t, func() bool { return ask(t, east, object, "?sha256="+right+"&max_wait=5s").isCopy() }, "the right digest gets the copy")
			require.Equal(t, right, digest(object))

			object = s.object()
			requireCopy(t, s.source, east, ask(t, east, object, "?sha256="+strings.ToUpper(right)))
			require.Equal(t, right, digest(object))
			w = waitClosed(t, east, object, 1, enums.WORKFLOW_EXECUTION_STATUS_COMPLETED)
			require.Equal(t, name, activities(t, w)["StreamCopy"].result.Way)

			object = s.object()
			requireCopy(t, s.source, east, ask(t, east, object, ""))
			require.Empty(t, digest(object))

			object = s.object()
			before := s.count(http.MethodGet)
			for _, malformed := range []string{right[1:], right + "00", "g" + right[1:], ""} {
				a := ask(t, east, object, "?sha256="+malformed)
				require.Equal(t, 400, a.status)
				require.Equal(t, "InputError", a.body.Code)
			}
			require.Equal(t, before, s.count(http.MethodGet))
			requireNothing(t, east, object)
		})
	}
}
