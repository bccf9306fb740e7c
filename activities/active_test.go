package activities_test

import (
	"context"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/activities/copier"
	"github.com/cloud-mirror/cloud-mirror/storage"
)

func TestActiveCopiesAreAttachments(t *testing.T) {
	ways := map[string]func(b *fixture, in *activities.StreamCopyInput){
		copier.WayRequest: func(b *fixture, in *activities.StreamCopyInput) {
			in.First, in.Meta.Size, in.Meta.AcceptRanges = true, -1, false
			b.origin.get = func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", in.Meta.ContentType)
				w.Header().Set("Content-Disposition", in.Meta.ContentDisposition)
				_, _ = io.WriteString(w, body)
			}
		},
		copier.WayRanges: func(b *fixture, _ *activities.StreamCopyInput) { b.large() },
		copier.WayServer: func(b *fixture, in *activities.StreamCopyInput) {
			b.Pool.Endpoint, in.Meta.Final = b.origin.served.URL, b.origin.served.URL+"/bucket/key"
			b.bucket.OnCopy = func(context.Context, storage.ObjectSpec, storage.CopySource, func(int64)) ([]byte, error) {
				return make([]byte, in.Meta.Size), nil
			}
		},
	}
	for name, tc := range map[string]struct{ kind, disposition, want string }{
		"HTML":                       {"text/html; charset=utf-8", "", "attachment"},
		"HTML with a name":           {"text/html", `inline; filename="a b.html"`, `attachment; filename="a b.html"`},
		"SVG that is a download":     {"image/svg+xml", "attachment; filename=a.svg", "attachment; filename=a.svg"},
		"a type that does not parse": {"text", "", "attachment"},
		"a type that S3 can't store": {"text/html; x=\u00e4", "", "attachment"},
		"text":                       {"text/plain", "", ""},
		"text with a name":           {"text/plain", "inline; filename=a.txt", "inline; filename=a.txt"},
		"a PNG that is a download":   {"image/png", "attachment", "attachment"},
	} {
		for way, prepare := range ways {
			t.Run(name+" "+way, func(t *testing.T) {
				for _, download := range []bool{true, false} {
					b := newFixture(t)
					b.Pool.DownloadActive = download
					in := b.input()
					in.Meta.ContentType, in.Meta.ContentDisposition = tc.kind, tc.disposition
					prepare(b, &in)
					copied, err := b.copyLarge(t, in)
					require.NoError(t, err)
					require.Equal(t, way, copied.Way)
					stored, err := b.bucket.Head(t.Context(), b.object.Key())
					require.NoError(t, err)
					want := tc.disposition // control
					if download {
						want = tc.want
					}
					require.Equal(t, want, stored.Headers.ContentDisposition)
				}
			})
		}
	}
}
