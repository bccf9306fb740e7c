package storage_test

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/storagetest"
)

// hang sends no reply until the client gives up.
func hang(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
	panic(http.ErrAbortHandler)
}

// TestSlowServerCopies has the server take too long for a copy in one call, or for every copy.
func TestSlowServerCopies(t *testing.T) {
	always := func(answer func(http.ResponseWriter)) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) { answer(w) }
	}
	fail := func(status int) func(http.ResponseWriter, *http.Request) { return always(refusal(status, "Injected")) }
	for _, s := range servers(t) {
		src := sourcesOn(t, s)[storagetest.CallComplete] // 3 parts
		for name, tc := range map[string]struct {
			answer func(http.ResponseWriter, *http.Request)
			calls  []string // that answer answers
			split  int64
			err    error
			parts  int // UploadPartCopy calls that the server gets
		}{
			"no reply":                       {hang, []string{storagetest.CallCopy}, storage.MinPartSize, nil, 3},
			"a proxy's 504":                  {fail(504), []string{storagetest.CallCopy}, storage.MinPartSize, nil, 3},
			"a lost connection":              {always(abortConnection), []string{storagetest.CallCopy}, storage.MinPartSize, nil, 3},
			"a late error":                   {always(writeLateError), []string{storagetest.CallCopy}, storage.MinPartSize, nil, 3},
			"a RequestTimeout":               {always(refusal(400, "RequestTimeout")), []string{storagetest.CallCopy}, storage.MinPartSize, nil, 3},
			"no reply, too small for parts":  {hang, []string{storagetest.CallCopy}, src.Size, storage.ErrNotCopied, 0},
			"no reply, for parts neither":    {hang, []string{storagetest.CallCopy, storagetest.CallPartCopy}, storage.MinPartSize, storage.ErrNotCopied, 0},
			"a refusal needs no second call": {fail(403), []string{storagetest.CallCopy}, storage.MinPartSize, storage.ErrNotCopied, 0},
			"copies are not implemented":     {fail(501), []string{storagetest.CallCopy}, storage.MinPartSize, storage.ErrNotCopied, 0},
			"a quick copy":                   {nil, nil, storage.MinPartSize, nil, 0}, // control
		} {
			t.Run(s.name+", "+name, func(t *testing.T) {
				c := src.newCopy(t, s, storagetest.CallCopy, "host/"+strings.ReplaceAll(name, " ", "-")+"/name", nil)
				c.SetCopyLimit(src.Size)
				c.SetFixedTimeout(2 * time.Second)
				c.SetSplitPart(tc.split)
				var mu sync.Mutex
				forwarded := map[string]int{}
				c.Reply = func(w http.ResponseWriter, r *http.Request) bool {
					call := storagetest.Call(r)
					if slices.Contains(tc.calls, call) {
						tc.answer(w, r)
						return true
					}
					mu.Lock()
					forwarded[call]++
					mu.Unlock()
					return false
				}
				start := time.Now()
				_, err := c.run(t.Context())
				require.ErrorIs(t, err, tc.err)
				require.Less(t, time.Since(start), 30*time.Second)
				if tc.err == nil {
					c.requireOurs(t)
				} else {
					require.Equal(t, nothing, c.existing(t))
				}
				require.Equal(t, tc.parts, forwarded[storagetest.CallPartCopy])
				require.Empty(t, c.uploads(t, c.spec.Key))
			})
		}
	}
}

// TestUploadsToASilentServerEnd has the server accept the bytes of an object and never answer.
func TestUploadsToASilentServerEnd(t *testing.T) {
	s := servers(t)[0]
	f := newFaultyBucket(t, s, nil)
	f.SetFixedTimeout(200 * time.Millisecond)
	spec := storage.ObjectSpec{Key: "host/silent/name"}
	u, err := f.CreateUpload(t.Context(), spec)
	require.NoError(t, err)
	var answers atomic.Bool
	f.Reply = func(w http.ResponseWriter, r *http.Request) bool {
		if call := storagetest.Call(r); !answers.Load() && (call == storagetest.CallPut || call == storagetest.CallPart) {
			hang(w, r)
		}
		return false
	}
	body := f.Checksum().Body(make([]byte, 1000))
	for name, send := range map[string]func() error{
		"Put":        func() error { _, err := f.Put(t.Context(), spec, body); return err },
		"UploadPart": func() error { _, err := f.UploadPart(t.Context(), u, 1, body); return err },
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			require.ErrorIs(t, send(), context.DeadlineExceeded)
			require.Less(t, time.Since(start), 20*time.Second)
		})
	}
	answers.Store(true)
	require.NoError(t, f.AbortUpload(t.Context(), u))
	_, err = f.Put(t.Context(), spec, body) // control
	require.NoError(t, err)
}
