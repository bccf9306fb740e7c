package activities_test

import (
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/activities/copier"
	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// attempts runs attempts of one StreamCopy. Each gets the last heartbeat of the attempt before, as
// Temporal delivers it.
type attempts struct {
	*fixture
	in  activities.StreamCopyInput
	now atomic.Int64 // Nanoseconds since the epoch

	mu sync.Mutex
	// last is the last heartbeat of the last attempt, and early its first.
	early, last *activities.Progress
}

func newAttempts(t *testing.T) *attempts {
	t.Helper()
	a := &attempts{fixture: newFixture(t)}
	a.in = a.first()
	a.now.Store(time.Now().UnixNano()) // The cache has a real clock
	a.Now = func() time.Time { return time.Unix(0, a.now.Load()).UTC() }
	a.env.SetOnActivityHeartbeatListener(func(_ *activity.Info, details converter.EncodedValues) {
		var p activities.Progress
		if err := details.Get(&p); err != nil {
			panic(err)
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.last = &p; a.early == nil {
			a.early = &p
		}
	})
	return a
}

// run runs an attempt that fails. It returns the failure, and the delay of the next attempt.
func (a *attempts) run(t *testing.T) (f activities.Failure, final bool, delay time.Duration) {
	t.Helper()
	a.mu.Lock()
	if a.last != nil {
		a.env.SetHeartbeatDetails(*a.last)
	}
	a.early, a.last = nil, nil
	a.mu.Unlock()
	_, err := a.env.ExecuteActivity(a.StreamCopy, a.in)
	var app *temporal.ApplicationError
	require.ErrorAs(t, err, &app)
	var p activities.Progress
	require.NoError(t, app.Details(&f, &p))
	a.mu.Lock()
	defer a.mu.Unlock()
	require.NotNil(t, a.last, "the attempt sent no heartbeat")
	require.Equal(t, p, *a.last, "the failure and the heartbeat differ")
	return f, app.NonRetryable(), app.NextRetryDelay()
}

// pass lets time pass.
func (a *attempts) pass(d time.Duration) { a.now.Add(int64(d)) }

// publish records a failure in the cache, like the workflow, and returns the entry.
func (a *attempts) publish(t *testing.T, f activities.Failure) cache.Entry {
	t.Helper()
	_, err := a.env.ExecuteActivity(a.UpdateCache, activities.UpdateCacheInput{Source: a.source, Failure: &f})
	require.NoError(t, err)
	return a.entry(t)
}

// cutShort sends less than it declares.
func cutShort(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "5")
	_, _ = io.WriteString(w, body[1:])
}

func TestSeriesEndsWhenTheCopyKeepsFailingInTheSameWay(t *testing.T) {
	wrong := make([]byte, 32)
	for name, tc := range map[string]struct {
		get   http.HandlerFunc
		class origin.Class
		most  int
	}{
		"truncated": {cutShort, origin.ClassTruncated, 4},
		"corrupt": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Repr-Digest", "sha-256=:"+base64.StdEncoding.EncodeToString(wrong)+":")
			_, _ = io.WriteString(w, body)
		}, origin.ClassCorrupt, 2},
		"206": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusPartialContent)
		}, origin.ClassBadHTTPStatus, 4},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAttempts(t)
			a.origin.get = tc.get
			for n := 1; n <= tc.most; n++ {
				f, final, _ := a.run(t)
				require.Equal(t, string(tc.class), f.Class)
				require.False(t, f.Permanent, "it may work later")
				require.Equal(t, n > 1, f.Repeats)
				require.Equal(t, activities.FailureRow{Class: f.Class, Count: n, Since: a.Now()}, a.last.Row)
				require.Equal(t, n == tc.most, final, "attempt %d", n)
			}
			require.EqualValues(t, tc.most, a.origin.requests.Load())
			_, ok := a.bucket.Body(a.object.Key())
			require.False(t, ok)
		})
	}
}

// TestProgressStartsANewRow truncates a range in every attempt, after another part was stored.
func TestProgressStartsANewRow(t *testing.T) {
	a := newAttempts(t)
	a.large()
	a.in = a.input()
	a.Copier.Parts = 1
	good := a.origin.get
	a.origin.get = func(w http.ResponseWriter, r *http.Request) {
		if a.origin.requests.Load()%2 == 0 {
			w.Header().Set("Etag", `"1"`)
			first := r.Header.Get("Range")[len("bytes="):]
			w.Header().Set("Content-Range", "bytes "+first+"/"+strconv.FormatInt(a.in.Meta.Size, 10))
			w.WriteHeader(http.StatusPartialContent)
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
		good(w, r)
	}
	for n := range parts - 1 {
		f, final, _ := a.run(t)
		require.Equal(t, string(origin.ClassTruncated), f.Class)
		require.False(t, final)
		require.False(t, f.Repeats, "attempt %d", n)
		require.Equal(t, 1, a.last.Row.Count)
		require.EqualValues(t, (n+1)*int(a.Copier.PartSize), a.last.Row.Done)
	}
}

// TestOtherFailuresDoNotEndTheSeries alternates two failures.
func TestOtherFailuresDoNotEndTheSeries(t *testing.T) {
	a := newAttempts(t)
	for n := range 10 {
		a.origin.get = cutShort
		if n%2 == 1 {
			a.origin.answer(http.StatusServiceUnavailable, nil)
		}
		f, final, _ := a.run(t)
		require.False(t, final, "attempt %d", n)
		require.False(t, f.Repeats)
		require.Equal(t, 1, a.last.Row.Count)
	}
}

func TestFirstRequestIsRepeatedFor10Seconds(t *testing.T) {
	for name, tc := range map[string]struct {
		fail  func(a *attempts)
		large bool
		ends  bool
	}{
		"503":                 {func(a *attempts) { a.origin.answer(503, nil) }, false, true},
		"unreachable":         {func(a *attempts) { a.origin.served.Close() }, false, true},
		"503, a large object": {func(a *attempts) { a.origin.answer(503, nil) }, true, false},
		"the bucket is down":  {func(a *attempts) { a.bucket.Err = errors.New("down") }, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAttempts(t)
			if tc.large {
				a.in.First = false
			}
			tc.fail(a)
			since := a.Now()
			for n := 1; n <= 5; n++ {
				_, final, _ := a.run(t)
				require.False(t, final, "attempt %d", n)
				require.Equal(t, since, a.last.Row.Since)
				a.pass(2 * time.Second)
			}
			f, final, _ := a.run(t)
			require.Equal(t, tc.ends, final)
			require.False(t, f.Permanent)
		})
	}
}

func TestRetryAfter(t *testing.T) {
	for value, tc := range map[string]struct {
		want  time.Duration
		final bool
	}{
		"3":   {3 * time.Second, false},
		"10":  {10 * time.Second, false},
		"11":  {11 * time.Second, true},
		"120": {2 * time.Minute, true},
		"":    {0, false},
	} {
		t.Run(value, func(t *testing.T) {
			a := newAttempts(t)
			a.origin.answer(http.StatusServiceUnavailable, http.Header{"Retry-After": {value}})
			f, final, delay := a.run(t)
			require.Equal(t, tc.want, delay)
			require.Equal(t, tc.want, f.RetryAfter)
			require.Equal(t, tc.final, final)
			require.False(t, f.Permanent)

			e := a.publish(t, f)
			require.Equal(t, cache.Error, e.State)
			require.False(t, e.Unmirrorable)
			longest := a.Now().Add(max(tc.want, a.Rules.RetryAfter))
			require.False(t, e.Deadline.After(longest), "%s", e.Deadline.Sub(a.Now()))
			require.False(t, e.Deadline.Before(a.Now().Add(tc.want)), "%s", e.Deadline.Sub(a.Now()))
		})
	}
}

// TestCopyWithPartsWaitsForItsSource has parts in the bucket, and a source that asks for two
// minutes. The copy is worth the wait, and front ends learn how long it is.
func TestCopyWithPartsWaitsForItsSource(t *testing.T) {
	a := newAttempts(t)
	a.large()
	a.in = a.input()
	a.Copier.Parts = 1
	good := a.origin.get
	a.origin.get = func(w http.ResponseWriter, r *http.Request) {
		if a.origin.requests.Load() > 1 {
			w.Header().Set("Retry-After", "120")
			status := http.StatusServiceUnavailable
			if r.Header.Get("Range") != "" {
				status = http.StatusRequestedRangeNotSatisfiable // Such a refusal is not waited for
			}
			w.WriteHeader(status)
			return
		}
		good(w, r)
	}
	f, final, delay := a.run(t)
	require.Equal(t, http.StatusServiceUnavailable, f.Status)
	require.False(t, final)
	require.Equal(t, 2*time.Minute, delay)
	require.Positive(t, a.last.Done)
	e := a.entry(t)
	require.Equal(t, cache.Error, e.State)
	require.Equal(t, f.Class, e.Class)
	require.Equal(t, f.Status, e.Status)
	require.False(t, e.Unmirrorable)
	require.Equal(t, a.Now().Add(2*time.Minute).Truncate(time.Millisecond), e.Deadline.UTC().Truncate(time.Millisecond))

	a.origin.get = good
	a.env.SetHeartbeatDetails(*a.last)
	out, err := a.copyLarge(t, a.in)
	require.NoError(t, err)
	require.Positive(t, out.Resumed)
}

func TestStatusIsAboutTheObject(t *testing.T) {
	for status, about := range map[int]bool{
		404: true, 410: true, 400: false, 401: false, 402: false, 403: false, 405: false, 406: false, 451: false, 429: false,
		503: false, 206: false,
	} {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			a := newAttempts(t)
			a.origin.answer(status, nil)
			f, final, _ := a.run(t)
			require.Equal(t, status, f.Status)
			require.Equal(t, about, f.AboutObject)
			permanent := status >= 400 && status < 500 && status != http.StatusTooManyRequests
			require.Equal(t, permanent, f.Permanent)
			require.Equal(t, permanent, final)
			e := a.publish(t, f)
			require.Equal(t, about, e.AboutObject)
			require.Equal(t, status, e.Status)
			require.Equal(t, permanent, e.Permanent)
		})
	}
}

// TestHeartbeatCarriesTheState fails with an upload in the bucket. The next attempt knows both the
// upload and the row.
func TestHeartbeatCarriesTheState(t *testing.T) {
	a := newAttempts(t)
	a.large()
	a.in = a.input()
	a.bucket.OnPart = func(number int32) error {
		if number > 1 {
			return errors.New("down")
		}
		return nil
	}
	for n := 1; n <= 3; n++ {
		if a.last != nil { // The upload is lost, so that the attempt creates another
			require.NoError(t, a.bucket.AbortUpload(t.Context(), storage.Upload{Key: a.object.Key(), ID: a.last.Resume.Upload}))
		}
		f, final, _ := a.run(t)
		require.Equal(t, activities.ClassStorage, f.Class)
		require.False(t, final)
		require.Equal(t, n, a.last.Row.Count)
		require.NotEmpty(t, a.last.Resume.Upload)
		require.NotEmpty(t, a.early.Resume.Upload, "an attempt that is killed leaves no upload")
		require.Equal(t, n-1, a.early.Row.Count, "an attempt that is killed loses the row")
	}
	a.bucket.OnPart = nil
	a.env.SetHeartbeatDetails(*a.last)
	out, err := a.copyLarge(t, a.in)
	require.NoError(t, err)
	require.Equal(t, copier.WayRanges, out.Way)
	require.Positive(t, out.Resumed)
}
