package activities

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/activities/copier"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
	"github.com/cloud-mirror/cloud-mirror/storage/storagetest"
)

// TestSnapshotTellsWhetherACopyKeepsOthersOut has a slow copy of a small object hold the only slot.
// Copies of another host wait, first for a slot of large objects and then for this one.
func TestSnapshotTellsWhetherACopyKeepsOthersOut(t *testing.T) {
	source := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "5")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	defer source.Close()
	client, err := origin.New(origin.Config{
		Allowed: []string{"http://127.0.0.1:*/"}, AllowedNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
	})
	require.NoError(t, err)
	c := &copier.Copier{
		Source: client, Bucket: &storagetest.Memory{}, SmallMemory: copier.NewMemory(1 << 20), Memory: copier.NewMemory(1 << 20),
		Slots: copier.NewBudget(1, 1), LargeSlots: copier.NewBudget(2, 0.5), StallTimeout: time.Minute, MinRate: 1,
	}
	slow := &transfer{a: &Activities{Copier: c}, job: &copier.Job{
		URL: source.URL + "/", First: true, Meta: origin.Meta{Size: -1},
		Spec: func(origin.Meta) storage.ObjectSpec {
			return storage.ObjectSpec{Key: "a", Metadata: map[string]string{}}
		},
		Server: func(origin.Meta) *storage.CopySource { return nil },
	}}
	require.False(t, slow.snapshot().KeepsOut, "it has not started")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		_, err := c.Run(ctx, slow.job)
		ended <- err
	}()
	require.Eventually(t, func() bool { held, _ := c.Slots.Use(); return held == 1 }, 10*time.Second, time.Millisecond)

	recalled, recall := context.WithCancelCause(ctx)
	defer recall(nil)
	for range 2 {
		_, err := c.LargeSlots.Take(ctx, copier.Claim{Host: "large.example", Cancel: recall}, 1)
		require.NoError(t, err)
	}
	wait := func(b *copier.Budget) { _, _ = b.Take(ctx, copier.Claim{Host: "other.example"}, 1) }
	go wait(c.LargeSlots)
	<-recalled.Done() // It has waited for 250 ms
	require.False(t, slow.snapshot().KeepsOut, "the other copy does not wait for this one")
	go wait(c.Slots)
	require.Eventually(t, func() bool { return slow.snapshot().KeepsOut }, 10*time.Second, time.Millisecond)
	cancel()
	require.Error(t, <-ended)
}
