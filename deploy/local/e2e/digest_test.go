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

			// A wrong digest of one client keeps the copy from no other client, and costs one
			// download. The metadata of a copy in parts is fixed before its digest is known.
			inMetadata := func(sum string) string {
				if size > 8*mib {
					return ""
				}
				return sum
			}
			object := s.object()
			a := ask(t, east, object, "?sha256="+other)
			require.Equal(t, 302, a.status)
			require.Equal(t, object, a.location)
			require.Equal(t, "Cached copy has another SHA-256 than this request expects", a.body.Msg)
			for _, query := range []string{"", "?sha256=" + right} {
				requireCopy(t, s.source, east, ask(t, east, object, query))
			}
			require.Equal(t, object, ask(t, east, object, "?sha256="+other).location)
			w := waitClosed(t, east, object, 1, enums.WORKFLOW_EXECUTION_STATUS_COMPLETED)
			require.EqualValues(t, 1, activities(t, w)["StreamCopy"].attempts, "attempts at a copy with the wrong digest")
			require.EqualValues(t, size, s.sent.Load(), "bytes fetched")
			require.Equal(t, inMetadata(right), digest(object))

			object = s.object()
			requireCopy(t, s.source, east, ask(t, east, object, "?sha256="+strings.ToUpper(right)))
			require.Equal(t, inMetadata(right), digest(object))
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
