package frontend

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/frontend/flight"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/storagetest"
)

// Even a copy whose entry equals that of the last one is seen within a minute.
func TestHeadersAreKeptForAMinute(t *testing.T) {
	b := &storagetest.Memory{}
	target := flight.NewTarget(&flight.Pool{Pool: storage.Pool{Service: "s3", Region: "us-west-2"}, Bucket: b}, "https://example.com/a")
	put := func(body string) {
		_, err := b.Put(t.Context(), storage.ObjectSpec{Key: target.Object.Key()}, b.Checksum().Body([]byte(body)))
		require.NoError(t, err)
	}
	now := time.Now()
	entry := cache.Entry{State: cache.Present, Deadline: now.Add(time.Hour)}
	var h head
	length := func(at time.Duration) string {
		header, err := h.of(t.Context(), target, entry, now.Add(at), time.Second, func() {})
		require.NoError(t, err)
		return header["Content-Length"][0]
	}
	put("four")
	require.Equal(t, "4", length(0))
	require.NoError(t, b.Delete(t.Context(), target.Object.Key()))
	put("seven..")
	require.Equal(t, "4", length(59*time.Second), "control: it is kept")
	require.Equal(t, "7", length(60*time.Second))
	require.Equal(t, 2, b.Heads)
}

func TestFailureOfAHeadIsKeptForSeconds(t *testing.T) {
	b := &storagetest.Memory{}
	target := flight.NewTarget(&flight.Pool{Bucket: b}, "https://example.com/a")
	now := time.Now()
	entry := cache.Entry{State: cache.Present, Deadline: now.Add(time.Hour), Size: 4}
	var h head
	_, err := h.of(t.Context(), target, entry, now, time.Second, func() {})
	require.ErrorIs(t, err, storage.ErrNotFound)
	_, err = b.Put(t.Context(), storage.ObjectSpec{Key: target.Object.Key()}, b.Checksum().Body([]byte("seven..")))
	require.NoError(t, err)
	_, err = h.of(t.Context(), target, entry, now.Add(2*time.Second), time.Second, func() {})
	require.ErrorIs(t, err, storage.ErrNotFound)
	_, err = h.of(t.Context(), target, entry, now.Add(3*time.Second), time.Second, func() {})
	require.ErrorIs(t, err, errReplaced)
	_, err = h.of(t.Context(), target, entry, now.Add(4*time.Second), time.Second, func() {})
	require.ErrorIs(t, err, errReplaced)
	require.Equal(t, 2, b.Heads)
	entry.Size = 7
	_, err = h.of(t.Context(), target, entry, now.Add(4*time.Second), time.Second, func() {})
	require.NoError(t, err)
}
