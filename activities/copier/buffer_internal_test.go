package copier

import (
	"io"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/storage"
)

// TestReleasedBuffer reads a request's body after its buffer was released, and another part got the
// same memory.
func TestReleasedBuffer(t *testing.T) {
	for name, tc := range map[string]struct {
		memory int64
		err    error
	}{
		"in memory": {64, errReleased},
		"in a file": {8, os.ErrClosed},
	} {
		t.Run(name, func(t *testing.T) {
			c := &Copier{SpoolDir: t.TempDir()}
			r := &run{copier: c, job: &Job{}}
			m := NewMemory(tc.memory)
			load := func(s string) (*buffer, storage.Body) {
				buf, err := r.newBuffer(t.Context(), m, int64(len(s)))
				require.NoError(t, err)
				body, err := buf.load(strings.NewReader(s), storage.ChecksumCRC64NVME, func(int) {})
				require.NoError(t, err)
				return buf, body
			}
			buf, body := load("the first part")
			for range 2 {
				_, err := body.Seek(0, io.SeekStart)
				require.NoError(t, err)
				got, err := io.ReadAll(body)
				require.NoError(t, err)
				require.Equal(t, "the first part", string(got))
			}
			_, err := body.Seek(4, io.SeekStart)
			require.NoError(t, err)
			buf.release()
			load("another thing!")
			got, err := io.ReadAll(body)
			require.ErrorIs(t, err, tc.err)
			require.Empty(t, got)
		})
	}
}
