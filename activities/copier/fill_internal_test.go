package copier

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/storage/origin"
	"github.com/cloud-mirror/cloud-mirror/storage/storagetest"
)

// TestFillReportsTheMissingBytes fills a buffer of 5 bytes with a body of 4.
func TestFillReportsTheMissingBytes(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "hell")
	}))
	t.Cleanup(server.Close)
	client, err := origin.New(origin.Config{
		Allowed: []string{"http://127.0.0.1:*/"}, AllowedNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
	})
	require.NoError(t, err)
	c := &Copier{Source: client, Bucket: &storagetest.Memory{}, StallTimeout: time.Minute}
	r := &run{copier: c, job: &Job{}}
	buf, err := r.newBuffer(t.Context(), NewMemory(64), 5)
	require.NoError(t, err)
	defer buf.release()
	ctx, cut := context.WithCancelCause(t.Context())
	defer cut(nil)
	src, err := client.Get(ctx, server.URL+"/a")
	require.NoError(t, err)
	defer src.Close()
	_, err = r.fill(ctx, cut, buf, src, src)
	var failure *origin.Error
	require.ErrorAs(t, err, &failure)
	require.Equal(t, origin.ClassTruncated, failure.Class)
	require.Equal(t, "the source sent 4 of 5 bytes", failure.Text)
}
