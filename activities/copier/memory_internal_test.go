package copier

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestMemoryIsBounded(t *testing.T) {
	m := NewMemory(64)
	require.EqualValues(t, 16, m.MaxBuffer())
	var giveAll []func()
	for _, n := range []int64{16, 15, 9, 1, 2, 3} { // 16, 16, 16, 1, 2, 4
		buf, hold, err := m.take(t.Context(), Claim{}, n)
		require.NoError(t, err)
		require.Len(t, buf, int(n))
		giveAll = append(giveAll, func() { m.give(buf, hold) })
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, _, err := m.take(ctx, Claim{}, 16)
	require.ErrorIs(t, err, context.DeadlineExceeded)

	for _, give := range giveAll {
		give()
	}
	require.EqualValues(t, 55, m.made, "released buffers are dropped")
	for range 4 {
		_, _, err := m.take(t.Context(), Claim{}, 16)
		require.NoError(t, err)
	}
	require.EqualValues(t, 64, m.made, "buffers of other sizes exceed the budget")
}
