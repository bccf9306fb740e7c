package storage

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"
)

// The servers of `make test` lack lifecycle rules, so this tests the rules that Setup would send.
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
		"foreign rules are kept":        {[]types.LifecycleRule{foreign}, 30 * 24 * time.Hour, append([]types.LifecycleRule{foreign}, ours...)},
		"existing rules are kept":       {append(ours[:2:2], foreign), 30 * 24 * time.Hour, append(ours[:2:2], foreign)},
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
