package copier

import (
	"errors"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

func TestPartsArePlanned(t *testing.T) {
	const tib = 1 << 40
	c := &Copier{PartSize: 8 * mib, Parts: 8}
	largest := int64(storage.MaxParts) * storage.MaxPartSize // 48.8 TiB
	for name, tc := range map[string]struct{ size, want int64 }{
		"an object just above Small uses all connections": {Small + 1, 5 * mib},
		"a medium object uses all connections":            {50 * mib, 7 * mib},
		"a large object has the configured size":          {1 << 30, 8 * mib},
		"exactly 10,000 parts of that size":               {storage.MaxParts * 8 * mib, 8 * mib},
		"a huge object has larger parts":                  {tib, 105 * mib},
		"the largest object that S3 stores":               {largest, storage.MaxPartSize},
		"unknown length":                                  {-1, 32 * mib},
	} {
		t.Run(name, func(t *testing.T) {
			each, err := c.partSize(tc.size)
			require.NoError(t, err)
			require.Equal(t, tc.want, each)
			require.LessOrEqual(t, (tc.size+each-1)/each, int64(storage.MaxParts))
		})
	}
	for _, size := range []int64{largest + 1, math.MaxInt64 - storage.MaxParts + 2, math.MaxInt64} {
		_, err := c.partSize(size)
		failure, ok := errors.AsType[*origin.Error](err)
		require.True(t, ok, size)
		require.Equal(t, origin.ClassTooLarge, failure.Class)
		require.True(t, failure.Permanent)
		require.ErrorContains(t, err, "more than S3 stores")
	}
}

func TestPartsCoverTheObject(t *testing.T) {
	for _, size := range []int64{1, 9, 10, 11, 25} {
		var off int64
		for i, p := range parts(size, 10) {
			require.EqualValues(t, i+1, p.number)
			require.Equal(t, off, p.off)
			off += p.n
		}
		require.Equal(t, size, off)
	}
	require.Empty(t, parts(0, 10))
}
