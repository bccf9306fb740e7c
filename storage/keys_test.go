package storage_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/storage"
)

// TestKeysAreListed deletes the listed objects meanwhile. The prefix has more keys than a page.
func TestKeysAreListed(t *testing.T) {
	for _, s := range servers(t) {
		t.Run(s.name, func(t *testing.T) {
			f := newFaultyBucket(t, s, nil)
			const count = 1010
			var all sync.WaitGroup
			slots := make(chan struct{}, 20)
			put := func(key string) {
				slots <- struct{}{}
				all.Go(func() {
					defer func() { <-slots }()
					_, err := f.directBucket.Put(t.Context(), storage.ObjectSpec{Key: key}, f.directBucket.Checksum().Body(nil))
					if err != nil {
						t.Error(err)
					}
				})
			}
			for n := range count {
				put(fmt.Sprintf("a.example/%04d/a", n))
			}
			put("a.example.com/1/a")
			all.Wait()
			n := 0
			for key, err := range f.Keys(t.Context(), "a.example/") {
				require.NoError(t, err)
				require.Equal(t, fmt.Sprintf("a.example/%04d/a", n), key)
				require.NoError(t, f.directBucket.Delete(t.Context(), key))
				n++
			}
			require.Equal(t, count, n)
			for range f.Keys(t.Context(), "a.example/") {
				t.Error("an object is left")
			}
			f.Reply = func(w http.ResponseWriter, _ *http.Request) bool {
				refuse(w, http.StatusForbidden, "AccessDenied")
				return true
			}
			for _, err := range f.Keys(t.Context(), "a.example.com/") {
				require.ErrorContains(t, err, "s3:ListBucket")
			}
		})
	}
}
