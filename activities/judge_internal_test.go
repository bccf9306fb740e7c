package activities

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/activities/copier"
)

func TestJudge(t *testing.T) {
	now := time.Date(2026, time.November, 25, 12, 0, 0, 0, time.UTC)
	l := limits{Stall: 300 * time.Second, Renew: 2 * time.Second, Grace: 20 * time.Second}
	ago := func(seconds float64) time.Time { return now.Add(-time.Duration(seconds * float64(time.Second))) }
	const before = 1000 // Bytes moved at the last judgement
	for name, tc := range map[string]struct {
		s       snapshot
		moved   float64 // Seconds ago, as the record has it
		renewed float64 // Seconds ago
		want    verdict
		moves   bool // The record's MovedAt becomes now
	}{
		"bytes move, renewal not due": {snapshot{Moved: 1001, Reading: true}, 1, 1, proceed, true},
		"bytes move, renewal due":     {snapshot{Moved: 1001, Reading: true}, 1, 2, renewLease, true},
		"a restart resets the count":  {snapshot{Moved: 1, Reading: true}, 1, 2, renewLease, true},
		"renewal is due by a hair":    {snapshot{Moved: 1001}, 1, 1.999, proceed, true},

		"waits for memory":                     {snapshot{Moved: before, Waiting: true}, 1, 1, proceed, true},
		"waits for memory, renewal due":        {snapshot{Moved: before, Waiting: true}, 10, 5, renewLease, true},
		"waits for memory for hours":           {snapshot{Moved: before, Waiting: true}, 36000, 1, proceed, true},
		"waits for memory, reads for hours":    {snapshot{Moved: before, Waiting: true, Reading: true}, 36000, 1, proceed, true},
		"bytes move again just before a stall": {snapshot{Moved: 1001, Reading: true}, 36000, 1, proceed, true},

		"the source sends nothing, moved since the renewal": {snapshot{Moved: before, Reading: true}, 3, 4, renewLease, false},
		"the source sends nothing, moved at the renewal":    {snapshot{Moved: before, Reading: true}, 4, 4, renewLease, false},
		"the source sends nothing since the renewal":        {snapshot{Moved: before, Reading: true}, 5, 4, proceed, false},
		"the bucket accepts nothing since the renewal":      {snapshot{Moved: before}, 5, 4, renewLease, false},
		"the bucket accepts nothing, renewal not due":       {snapshot{Moved: before}, 5, 1, proceed, false},

		"source at the limit":              {snapshot{Moved: before, Reading: true}, 300, 200, proceed, false},
		"source stalls":                    {snapshot{Moved: before, Reading: true}, 300.001, 200, sourceStalled, false},
		"bucket at the limit, renewal due": {snapshot{Moved: before}, 300, 2, renewLease, false},
		"bucket at the limit":              {snapshot{Moved: before}, 300, 1, proceed, false},
		"bucket stalls":                    {snapshot{Moved: before}, 300.001, 1, bucketStalled, false},
		"bucket stalls, renewal due":       {snapshot{Moved: before}, 301, 2, bucketStalled, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := record{Moved: before, MovedAt: ago(tc.moved), RenewedAt: ago(tc.renewed), RefusedAt: ago(7)}
			want := r
			if tc.moves {
				want.Moved, want.MovedAt = tc.s.Moved, now
			}
			if tc.want == renewLease {
				want.RenewedAt = now
			}
			v, after := judge(now, tc.s, r, l)
			require.Equal(t, tc.want, v)
			require.Equal(t, want, after)
		})
	}
}

func TestJudgeRenewal(t *testing.T) {
	now := time.Date(2026, time.November, 25, 12, 0, 0, 0, time.UTC)
	l := limits{Grace: 20 * time.Second}
	first := now.Add(-time.Second)
	for name, tc := range map[string]struct {
		refused       bool
		before, after time.Time // The first refusal
		want          verdict
	}{
		"renewed":                          {false, time.Time{}, time.Time{}, proceed},
		"renewed after a refusal":          {false, first, time.Time{}, proceed},
		"renewed after the grace":          {false, now.Add(-time.Hour), time.Time{}, proceed},
		"refused for the first time":       {true, time.Time{}, now, proceed},
		"refused again within the grace":   {true, first, first, proceed},
		"refused just before the grace":    {true, now.Add(1 - l.Grace), now.Add(1 - l.Grace), proceed},
		"refused again at the grace's end": {true, now.Add(-l.Grace), now.Add(-l.Grace), copyPurged},
		"refused again long afterwards":    {true, now.Add(-time.Hour), now.Add(-time.Hour), copyPurged},
	} {
		t.Run(name, func(t *testing.T) {
			r := record{Moved: 5, MovedAt: first, RenewedAt: now, RefusedAt: tc.before}
			want := r
			want.RefusedAt = tc.after
			v, after := judgeRenewal(now, tc.refused, r, l)
			require.Equal(t, tc.want, v)
			require.Equal(t, want, after)
		})
	}
}

// TestJudgements follows copies from their start, judged once a second.
func TestJudgements(t *testing.T) {
	start := time.Date(2026, time.November, 25, 12, 0, 0, 0, time.UTC)
	l := limits{Stall: 10 * time.Second, Renew: 2 * time.Second, Grace: 3 * time.Second, AverageRate: 100}
	for name, tc := range map[string]struct {
		at       func(second int64) snapshot
		refused  bool
		renewals int
		want     verdict
		seconds  int64 // Until the end; 0 if the copy is still running after a minute
	}{
		"moves":              {func(n int64) snapshot { return snapshot{Moved: n, Reading: true} }, false, 30, proceed, 0},
		"completes for long": {func(int64) snapshot { return snapshot{} }, false, 5, bucketStalled, 11},
		"waits for its turn": {func(int64) snapshot { return snapshot{Waiting: true} }, false, 30, proceed, 0},
		"moves for 5 s":      {func(n int64) snapshot { return snapshot{Moved: min(n, 5), Reading: true} }, false, 3, sourceStalled, 16},
		"reads nothing":      {func(int64) snapshot { return snapshot{Reading: true} }, false, 1, sourceStalled, 11},
		"too slow":           {func(n int64) snapshot { return receiving(n, 99*n) }, false, 29, sourceTooSlow, 60},
		"just fast enough":   {func(n int64) snapshot { return receiving(n, 100*n) }, false, 30, proceed, 0},
		"too slow, is storing": {func(n int64) snapshot {
			s := receiving(n, 99*n)
			s.Receiving = false
			return s
		}, false, 30, proceed, 0},
		"too slow, but waited for its turn": {func(n int64) snapshot { return receiving(n-1, 99*n) }, false, 30, proceed, 0},
		"too slow, but keeps no copy out": {func(n int64) snapshot {
			s := receiving(n, 99*n)
			s.KeepsOut = false
			return s
		}, false, 30, proceed, 0},
		"a burst at the start": {func(n int64) snapshot { return receiving(n, 6000+n) }, false, 30, proceed, 0},
		"moves and is purged":  {func(n int64) snapshot { return snapshot{Moved: n, Reading: true} }, true, 3, copyPurged, 6},
	} {
		t.Run(name, func(t *testing.T) {
			r := record{MovedAt: start, RenewedAt: start}
			renewals, v := 0, proceed
			var n int64
			for n = 1; n <= 60; n++ {
				now := start.Add(time.Duration(n) * time.Second)
				if v, r = judge(now, tc.at(n), r, l); v == renewLease {
					renewals++
					v, r = judgeRenewal(now, tc.refused, r, l)
				}
				if v != proceed {
					break
				}
			}
			require.Equal(t, tc.want, v)
			require.Equal(t, tc.renewals, renewals)
			if tc.seconds > 0 {
				require.Equal(t, tc.seconds, n)
			}
		})
	}
}

// receiving is a copy that has received bytes for some seconds, while a copy of another host waits.
func receiving(seconds, bytes int64) snapshot {
	return snapshot{
		Moved: bytes, Reading: true, Receiving: true, KeepsOut: true, Fetched: bytes, Connected: time.Duration(seconds) * time.Second,
	}
}

// TestNoAverageRate: without a limit, no copy is too slow.
func TestNoAverageRate(t *testing.T) {
	require.True(t, receiving(60, 1).tooSlow(limits{AverageRate: 1}))
	require.False(t, receiving(3600, 0).tooSlow(limits{}))
	require.Equal(t, time.Minute, averageGrace)
}

func TestSnapshotOfCounters(t *testing.T) {
	for name, tc := range map[string]struct {
		set  func(c *copier.Counters)
		want snapshot
	}{
		"nothing":                     {func(*copier.Counters) {}, snapshot{}},
		"fetched":                     {func(c *copier.Counters) { c.Fetched.Store(1) }, snapshot{Moved: 1, Fetched: 1}},
		"read":                        {func(c *copier.Counters) { c.Read.Store(2) }, snapshot{Moved: 2}},
		"stored":                      {func(c *copier.Counters) { c.Stored.Store(3) }, snapshot{Moved: 3}},
		"reading":                     {func(c *copier.Counters) { c.Reading.Store(1) }, snapshot{Reading: true}},
		"waiting":                     {func(c *copier.Counters) { c.Waiting.Store(1) }, snapshot{Waiting: true}},
		"waiting, but holds a buffer": {func(c *copier.Counters) { c.Waiting.Store(1); c.Held.Store(1) }, snapshot{}},
	} {
		t.Run(name, func(t *testing.T) {
			var c copier.Counters
			tc.set(&c)
			require.Equal(t, tc.want, snapshotOf(&c))
		})
	}
}
