package activities

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/activities/copier"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

const (
	truncated   = string(origin.ClassTruncated)
	corrupt     = string(origin.ClassCorrupt)
	unreachable = string(origin.ClassUnreachable)
	badStatus   = string(origin.ClassBadHTTPStatus)
	malformed   = string(origin.ClassMalformed)
)

func TestNextRow(t *testing.T) {
	now := time.Date(2026, time.November, 25, 12, 0, 0, 0, time.UTC)
	before := now.Add(-time.Minute)
	for name, tc := range map[string]struct {
		row   FailureRow
		class string
		done  int64
		want  FailureRow
	}{
		"first failure":           {FailureRow{}, truncated, 0, FailureRow{truncated, 1, now, 0}},
		"first failure, progress": {FailureRow{}, truncated, 7, FailureRow{truncated, 1, now, 7}},
		"the same again":          {FailureRow{truncated, 1, before, 0}, truncated, 0, FailureRow{truncated, 2, before, 0}},
		"the same a fourth time":  {FailureRow{truncated, 3, before, 7}, truncated, 7, FailureRow{truncated, 4, before, 7}},
		"another class":           {FailureRow{truncated, 3, before, 0}, unreachable, 0, FailureRow{unreachable, 1, before, 0}},
		"more stored":             {FailureRow{truncated, 3, before, 7}, truncated, 8, FailureRow{truncated, 1, now, 8}},
		"more stored, another":    {FailureRow{truncated, 3, before, 7}, unreachable, 8, FailureRow{unreachable, 1, now, 8}},
		"less stored":             {FailureRow{truncated, 3, before, 7}, truncated, 0, FailureRow{truncated, 4, before, 7}},
	} {
		t.Run(name, func(t *testing.T) {
			got := tc.row.next(tc.class, tc.done, now)
			require.Equal(t, tc.want, got)

			data, err := json.Marshal(Progress{Row: got})
			require.NoError(t, err)
			var back Progress
			require.NoError(t, json.Unmarshal(data, &back))
			require.Equal(t, got, back.Row, "the next attempt reads another row")
		})
	}
}

func TestRowIsOver(t *testing.T) {
	now := time.Date(2026, time.November, 25, 12, 0, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		failure Failure
		count   int
		done    int64         // Bytes in the bucket
		since   time.Duration // Before now
		// of the first request, and of a large object
		first, large bool
	}{
		"truncated three times":                 {Failure{Class: truncated}, 3, 0, 9 * time.Second, false, false},
		"truncated three times in an hour":      {Failure{Class: truncated}, 3, 0, time.Hour, false, false},
		"truncated four times":                  {Failure{Class: truncated}, 4, 0, 0, true, true},
		"malformed once":                        {Failure{Class: malformed}, 1, 0, time.Hour, false, false},
		"malformed twice":                       {Failure{Class: malformed}, 2, 0, 0, true, true},
		"unverifiable four times":               {Failure{Class: string(origin.ClassUnverifiable)}, 4, 0, 0, true, true},
		"redirected four times":                 {Failure{Class: string(origin.ClassTooManyRedirects)}, 4, 0, 0, true, true},
		"corrupt once":                          {Failure{Class: corrupt}, 1, 0, time.Hour, false, false},
		"corrupt twice":                         {Failure{Class: corrupt}, 2, 0, 0, true, true},
		"206 three times":                       {Failure{Class: badStatus, Status: 206}, 3, 0, 0, false, false},
		"206 four times":                        {Failure{Class: badStatus, Status: 206}, 4, 0, 0, true, true},
		"503 four times":                        {Failure{Class: badStatus, Status: 503}, 4, 0, 0, false, false},
		"503 within the patience":               {Failure{Class: badStatus, Status: 503}, 5, 0, 9999 * time.Millisecond, false, false},
		"503 for 10 s":                          {Failure{Class: badStatus, Status: 503}, 2, 0, 10 * time.Second, true, false},
		"503 for an hour":                       {Failure{Class: badStatus, Status: 503}, 100, 0, time.Hour, true, false},
		"unreachable for 10 s":                  {Failure{Class: unreachable}, 2, 0, 10 * time.Second, true, false},
		"failures of several classes, for 10 s": {Failure{Class: unreachable}, 1, 0, 10 * time.Second, true, false},
		"stalled for 10 s":                      {Failure{Class: ClassStalled}, 2, 0, 10 * time.Second, true, false},
		"busy for an hour":                      {Failure{Class: string(origin.ClassBusy)}, 100, 0, time.Hour, false, false},
		"bucket down for an hour":               {Failure{Class: ClassStorage}, 100, 0, time.Hour, false, false},
		"redis down for an hour":                {Failure{Class: ClassCache}, 100, 0, time.Hour, false, false},
		"internal error for an hour":            {Failure{Class: ClassInternal}, 100, 0, time.Hour, false, false},
		"sealed for an hour":                    {Failure{Class: ClassSealed}, 100, 0, time.Hour, false, false},
		"asks for 10 s":                         {Failure{Class: badStatus, Status: 503, RetryAfter: 10 * time.Second}, 1, 0, 0, false, false},
		"asks for 11 s":                         {Failure{Class: badStatus, Status: 503, RetryAfter: 11 * time.Second}, 1, 0, 0, true, true},
		"asks for 11 s, parts stored":           {Failure{Class: badStatus, Status: 503, RetryAfter: 11 * time.Second}, 9, 1, 0, false, false},
		"truncated, parts stored":               {Failure{Class: truncated}, 4, 1, 0, true, true},
		"handed over for an hour":               {Failure{Class: ClassHandover}, 100, 0, time.Hour, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := FailureRow{Class: tc.failure.Class, Count: tc.count, Since: now.Add(-tc.since), Done: tc.done}
			require.Equal(t, tc.first, r.over(tc.failure, true, now), "the first request")
			require.Equal(t, tc.large, r.over(tc.failure, false, now), "a large object")
		})
	}
}

func TestRowNeedsStream(t *testing.T) {
	for name, tc := range map[string]struct {
		row  FailureRow
		want bool
	}{
		"no failure":                    {FailureRow{}, false},
		"truncated once":                {FailureRow{Class: "SourceTruncated", Count: 1}, false},
		"truncated twice":               {FailureRow{Class: "SourceTruncated", Count: 2}, true},
		"truncated twice, parts stored": {FailureRow{Class: "SourceTruncated", Count: 2, Done: 1}, true},
		"stalled twice":                 {FailureRow{Class: "SourceStalled", Count: 2}, true},
		"stalled twice, parts stored":   {FailureRow{Class: "SourceStalled", Count: 2, Done: 1}, false},
		"unreachable twice":             {FailureRow{Class: "SourceUnreachable", Count: 2}, true},
		"unreachable, parts stored":     {FailureRow{Class: "SourceUnreachable", Count: 8, Done: 1}, false},
		"busy":                          {FailureRow{Class: "SourceBusy", Count: 8}, false},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, tc.want, tc.row.needsStream()) })
	}
}

// TestSlowSourceEndsItsSeries: another attempt would only hold a slot again. No other request is
// refused because of it.
func TestSlowSourceEndsItsSeries(t *testing.T) {
	f := failure(fmt.Errorf("%w: 5 bytes", copier.ErrTooSlow))
	require.Equal(t, Failure{Class: ClassTooSlow, Text: "the source is too slow: 5 bytes"}, f)
	require.True(t, f.final())
	require.True(t, f.ofShape())
	require.False(t, f.free())
	stalled := failure(copier.ErrStalled) // Positive control
	require.False(t, stalled.final())
}

// TestRecalledCopyLosesBytes: a copy that gave its holds back, after it had fetched bytes, has lost
// them unless it stored some. Any other copy has not.
func TestRecalledCopyLosesBytes(t *testing.T) {
	for name, tc := range map[string]struct {
		err                   error
		fetched, stored, last int64
		lost                  bool
	}{
		"nothing fetched":            {copier.ErrTurn, 0, 0, 0, false},
		"nothing fetched, resumed":   {copier.ErrTurn, 0, 7, 7, false},
		"fetched, nothing stored":    {copier.ErrTurn, 1, 0, 0, true},
		"fetched, nothing more":      {copier.ErrTurn, 1, 7, 7, true},
		"fetched, less stored":       {copier.ErrTurn, 9, 7, 8, true},
		"fetched, more stored":       {copier.ErrTurn, 1, 8, 7, false},
		"handed over":                {errHandover, 1, 0, 0, false},
		"stalled, an attempt anyway": {copier.ErrStalled, 1, 0, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := failure(tc.err)
			free := f.free()
			f.Lost = f.loses(tc.fetched, tc.stored, tc.last)
			require.Equal(t, tc.lost, f.Lost)
			require.Equal(t, free && !tc.lost, f.free())
		})
	}
}
