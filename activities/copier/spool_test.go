package copier_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/activities/copier"
)

// TestSpoolIsBounded copies an object in parts that are too large for memory, with room on disk for
// one of them at a time.
func TestSpoolIsBounded(t *testing.T) {
	const size = 4*partSize - 1
	r := inMemory(t, size)
	r.Memory = copier.NewMemory(4 * mib) // Parts go to disk
	r.Spool = copier.NewBudget(partSize, 1)
	most := int64(0)
	r.memory.OnPart = func(int32) error {
		held, _ := r.Spool.Use()
		most = max(most, held)
		return nil
	}
	_, err := r.attempt(t)
	require.NoError(t, err)
	r.requireExact(t)
	require.EqualValues(t, partSize, most)
	held, waiting := r.Spool.Use()
	require.Zero(t, held+waiting)
	left, err := os.ReadDir(r.SpoolDir)
	require.NoError(t, err)
	require.Empty(t, left)

	r.newJob(t)
	r.saved.Store(nil)
	r.Spool = copier.NewBudget(partSize-1, 1)
	_, err = r.attempt(t)
	require.ErrorContains(t, err, "more than the whole budget")
	r.requireNothing(t)
}

// TestLeftSpoolFilesAreRemoved keeps every other file.
func TestLeftSpoolFilesAreRemoved(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"cloud-mirror-part-1", "cloud-mirror-part-22", "cloud-mirror-other", "part"} {
		require.NoError(t, os.WriteFile(dir+"/"+name, []byte("x"), 0o600))
	}
	require.NoError(t, copier.RemoveSpooled(dir))
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	var names []string
	for _, e := range left {
		names = append(names, e.Name())
	}
	require.Equal(t, "cloud-mirror-other part", strings.Join(names, " "))
	require.NoError(t, copier.RemoveSpooled(dir+"/missing"))
}
