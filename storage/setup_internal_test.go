package storage

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"
)

// The servers of `make test` have no lifecycle rules, so what would be sent is tested here.
func TestLifecycleRules(t *testing.T) {
	foreign := types.LifecycleRule{ID: aws.String("theirs"), Status: types.ExpirationStatusDisabled}
	ours := withOurRules(nil, 30*24*time.Hour)
	require.Len(t, ours, 2)
	require.Equal(t, ruleExpire, *ours[0].ID)
	require.EqualValues(t, 30, *ours[0].Expiration.Days)
	require.Equal(t, ruleAbort, *ours[1].ID)
	require.EqualValues(t, abortAfterDays, *ours[1].AbortIncompleteMultipartUpload.DaysAfterInitiation)
	for _, r := range ours {
		require.Equal(t, types.ExpirationStatusEnabled, r.Status)
		require.Empty(t, *r.Filter.Prefix)
	}

	for name, tc := range map[string]struct {
		have     []types.LifecycleRule
		lifespan time.Duration
		want     []types.LifecycleRule
	}{
		"foreign rules stay":            {[]types.LifecycleRule{foreign}, 30 * 24 * time.Hour, append([]types.LifecycleRule{foreign}, ours...)},
		"what is there is left alone":   {append(ours[:2:2], foreign), 30 * 24 * time.Hour, append(ours[:2:2], foreign)},
		"another lifespan replaces":     {ours, 7 * 24 * time.Hour, append([]types.LifecycleRule{ours[1]}, withOurRules(nil, 7*24*time.Hour)[0])},
		"no lifespan removes the first": {ours, 0, []types.LifecycleRule{ours[1]}},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tc.want, withOurRules(tc.have, tc.lifespan))
		})
	}
	disabled := ours[0]
	disabled.Status = types.ExpirationStatusDisabled
	require.Equal(t, ours[0], withOurRules([]types.LifecycleRule{disabled}, 30*24*time.Hour)[0])
}

func TestExpiry(t *testing.T) {
	stored := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	header := `expiry-date="Fri, 23 Jan 2026 00:00:00 GMT", rule-id="cloud-mirror-expire"`
	require.Equal(t, time.Date(2026, 1, 23, 0, 0, 0, 0, time.UTC), expiry(&header, stored, time.Hour))
	require.Equal(t, stored.Add(time.Hour), expiry(nil, stored, time.Hour))
	require.Equal(t, stored.Add(time.Hour), expiry(aws.String("garbage"), stored, time.Hour))
	require.True(t, expiry(nil, stored, 0).IsZero())
}

func TestPartSizeIsPlanned(t *testing.T) {
	const gib = 1 << 30
	for _, tc := range []struct{ size, want, part int64 }{
		{-1, 32 << 20, 32 << 20},
		{1, 1, MinPartSize},
		{100 * gib, 32 << 20, 32 << 20},
		{1000 * gib, 32 << 20, (1000*gib + 9999) / 10_000},
	} {
		part, err := PartSize(tc.size, tc.want)
		require.NoError(t, err)
		require.Equal(t, tc.part, part)
		require.LessOrEqual(t, (tc.size+part-1)/part, int64(MaxParts))
	}
	_, err := PartSize(MaxParts*MaxPartSize+1, 32<<20)
	require.Error(t, err)
}
