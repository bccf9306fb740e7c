package activities_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

func TestUnmirrorable(t *testing.T) {
	const truncated, unreachable = string(origin.ClassTruncated), string(origin.ClassUnreachable)
	shape := activities.Failure{Class: truncated, Text: "cut short"}
	outage := activities.Failure{Class: unreachable}
	corrupt := activities.Failure{Class: string(origin.ClassCorrupt)}
	redirects := activities.Failure{Class: string(origin.ClassTooManyRedirects), Permanent: true}
	missing := activities.Failure{Class: string(origin.ClassBadHTTPStatus), Status: 404, Permanent: true}
	partial := activities.Failure{Class: string(origin.ClassBadHTTPStatus), Status: 206}
	slow := activities.Failure{Class: activities.ClassTooSlow}
	large := activities.Failure{Class: string(origin.ClassTooLarge), Permanent: true}
	busy := activities.Failure{Class: string(origin.ClassBadHTTPStatus), Status: 503}
	for name, tc := range map[string]struct {
		failures []activities.Failure
		want     int // The number of the failure that makes the object unmirrorable; 0 for none
	}{
		"truncated twice":               {[]activities.Failure{shape, shape}, 0},
		"truncated three times":         {[]activities.Failure{shape, shape, shape}, 3},
		"corrupt three times":           {[]activities.Failure{corrupt, corrupt, corrupt}, 3},
		"redirected three times":        {[]activities.Failure{redirects, redirects, redirects}, 3},
		"206 three times":               {[]activities.Failure{partial, partial, partial}, 3},
		"too slow three times":          {[]activities.Failure{slow, slow, slow}, 3},
		"too large three times":         {[]activities.Failure{large, large, large}, 3},
		"an outage after two":           {[]activities.Failure{shape, shape, outage}, 0},
		"an outage between":             {[]activities.Failure{shape, shape, outage, shape, shape}, 0},
		"an outage, then three":         {[]activities.Failure{outage, shape, shape, shape}, 4},
		"different shapes":              {[]activities.Failure{shape, corrupt, shape, corrupt, redirects}, 0},
		"404 five times":                {[]activities.Failure{missing, missing, missing, missing, missing}, 0},
		"503 five times":                {[]activities.Failure{busy, busy, busy, busy, busy}, 0},
		"unreachable ten times":         {slices.Repeat([]activities.Failure{outage}, 10), 0},
		"the bucket is down five times": {slices.Repeat([]activities.Failure{{Class: activities.ClassStorage}}, 5), 0},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAttempts(t)
			a.Cache = &manyRuns{Memory: a.cache}
			for n, f := range tc.failures {
				e := a.publish(t, f)
				unmirrorable := n+1 == tc.want
				require.Equal(t, unmirrorable, e.Unmirrorable, "failure %d", n+1)
				require.Equal(t, f.Class, e.Class)
				require.Equal(t, f.Text, e.Text)
				if unmirrorable {
					require.True(t, e.Permanent)
					require.Equal(t, a.Now().Add(a.Rules.UnmirrorableTTL), e.Deadline.UTC())
				}
			}
			if tc.want == 0 {
				require.Empty(t, a.seen.unmirrorable)
			} else {
				require.Equal(t, []string{tc.failures[tc.want-1].Class}, a.seen.unmirrorable)
			}
		})
	}
}

// TestRepeatedUpdateCacheCountsOnce runs UpdateCache again and again for one run of the workflow, as
// Temporal does if redis or the worker fails before its end.
func TestRepeatedUpdateCacheCountsOnce(t *testing.T) {
	a := newAttempts(t)
	for range 5 {
		e := a.publish(t, activities.Failure{Class: string(origin.ClassTruncated)})
		require.False(t, e.Unmirrorable)
		require.False(t, e.Permanent)
	}
	require.Empty(t, a.seen.unmirrorable)
}

// TestCopyEndsTheRow publishes a copy between failures.
func TestCopyEndsTheRow(t *testing.T) {
	a := newAttempts(t)
	a.Cache = &manyRuns{Memory: a.cache}
	for range 3 {
		for range 2 {
			e := a.publish(t, activities.Failure{Class: string(origin.ClassTruncated)})
			require.False(t, e.Unmirrorable)
			_, err := a.cache.Purge(t.Context(), a.key())
			require.NoError(t, err)
		}
	}
	require.Empty(t, a.seen.unmirrorable)
}

// TestNoClientWaitsForARepeatedFailure tells clients to use the source if the next try will
// probably fail in the same way.
func TestNoClientWaitsForARepeatedFailure(t *testing.T) {
	once := activities.Failure{Class: string(origin.ClassUnreachable)}
	repeats := once
	repeats.Repeats = true
	other := activities.Failure{Class: string(origin.ClassTruncated)}
	for name, tc := range map[string]struct {
		failures []activities.Failure
		want     []bool
	}{
		"one attempt of one copy failed": {[]activities.Failure{once}, []bool{false}},
		"two attempts of one copy":       {[]activities.Failure{repeats}, []bool{true}},
		"two copies":                     {[]activities.Failure{once, once}, []bool{false, true}},
		"two copies, in different ways":  {[]activities.Failure{once, other, once}, []bool{false, false, false}},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAttempts(t)
			a.Cache = &manyRuns{Memory: a.cache}
			for n, f := range tc.failures {
				require.Equal(t, tc.want[n], a.publish(t, f).Permanent, "copy %d", n+1)
			}
		})
	}
}
