package activities_test

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/netip"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// versioned answers with an object and its headers. HEADs and GETs can get different answers.
type versioned struct {
	header    http.Header
	body      string
	status    int         // Of both methods; 0 is 200.
	head      http.Header // Replaces headers in the answer to a HEAD.
	headState int         // The status of a HEAD, if it differs.

	heads, gets atomic.Int64
}

func (v *versioned) serve(w http.ResponseWriter, r *http.Request) {
	maps.Copy(w.Header(), v.header)
	status := v.status
	if r.Method == http.MethodHead {
		v.heads.Add(1)
		maps.Copy(w.Header(), v.head)
		if v.headState != 0 {
			status = v.headState
		}
	} else {
		v.gets.Add(1)
	}
	if status != 0 {
		w.WriteHeader(status)
		return
	}
	_, _ = io.WriteString(w, v.body)
}

func (b *fixture) audit(t *testing.T) (activities.AuditResult, error) {
	t.Helper()
	v, err := b.env.ExecuteActivity(b.Audit, activities.AuditInput{Source: b.source})
	var out activities.AuditResult
	if err == nil {
		require.NoError(t, v.Get(&out))
	}
	return out, err
}

// audited is a fixture with a copy of a source's first version, and its entry.
func audited(t *testing.T) (*fixture, *versioned) {
	t.Helper()
	b := newFixture(t)
	v := &versioned{body: body, header: http.Header{
		"Etag": {`"1"`}, "Last-Modified": {"Sun, 22 Nov 2026 12:00:00 GMT"}, "Content-Length": {"5"},
	}}
	b.origin.get = v.serve
	_, err := b.streamCopy(t, 0)
	require.NoError(t, err)
	require.NoError(t, b.cache.Put(t.Context(), b.key(), 0, b.Rules.Present(b.Now(), cache.Copy{Size: 5})))
	v.gets.Store(0)
	return b, v
}

func TestAudit(t *testing.T) {
	later := []string{"Sun, 22 Nov 2026 12:00:01 GMT"}
	for name, tc := range map[string]struct {
		change func(v *versioned)
		want   activities.AuditResult
		gets   int64 // A suspicion costs one.
	}{
		"the same object": {
			change: func(*versioned) {}, want: activities.AuditResult{Result: activities.AuditSame},
		},
		"another object of the same length": {
			change: func(v *versioned) { v.body, v.header["Etag"] = "HELLO", []string{`"2"`} },
			want:   activities.AuditResult{Result: activities.AuditDifferent}, gets: 1,
		},
		"another object without an ETag": {
			change: func(v *versioned) { delete(v.header, "Etag"); v.header["Last-Modified"] = later },
			want:   activities.AuditResult{Result: activities.AuditDifferent}, gets: 1,
		},
		"a longer object": {
			change: func(v *versioned) { v.body = "hello!"; v.header = http.Header{"Content-Length": {"6"}} },
			want:   activities.AuditResult{Result: activities.AuditDifferent}, gets: 1,
		},
		"not found": {
			change: func(v *versioned) { v.status = 404 },
			want:   activities.AuditResult{Result: activities.AuditGone, Status: 404}, gets: 1,
		},
		"gone": {
			change: func(v *versioned) { v.status = 410 },
			want:   activities.AuditResult{Result: activities.AuditGone, Status: 410}, gets: 1,
		},
		"a HEAD without a length": {
			change: func(v *versioned) { v.header = http.Header{"Transfer-Encoding": {"chunked"}} },
			want:   activities.AuditResult{Result: activities.AuditUnknown, Cause: activities.CauseFacts},
		},
		"a HEAD that is compressed": {
			change: func(v *versioned) {
				v.head = http.Header{"Content-Encoding": {"gzip"}, "Etag": {`"1-gzip"`}, "Content-Length": {"3"}}
			},
			want: activities.AuditResult{Result: activities.AuditUnknown, Cause: activities.CauseFacts},
		},
		"a HEAD that lies about the ETag": {
			change: func(v *versioned) { v.head = http.Header{"Etag": {`"head"`}} },
			want:   activities.AuditResult{Result: activities.AuditSame}, gets: 1,
		},
		"a HEAD that says length 0": {
			change: func(v *versioned) {
				v.header = http.Header{"Last-Modified": v.header["Last-Modified"], "Content-Length": {"5"}}
				v.head = http.Header{"Content-Length": {"0"}}
			},
			want: activities.AuditResult{Result: activities.AuditSame}, gets: 1,
		},
		"a HEAD that is not found, unlike a GET": {
			change: func(v *versioned) { v.headState = 404 },
			want:   activities.AuditResult{Result: activities.AuditSame}, gets: 1,
		},
		"a changed object whose GET fails": {
			change: func(v *versioned) { v.head, v.headState, v.status = http.Header{"Etag": {`"2"`}}, 200, 503 },
			want:   activities.AuditResult{Result: activities.AuditUnknown, Cause: "BadHTTPStatus", Status: 503}, gets: 1,
		},
		"unauthorized":       {change: answers(401), want: unknown(401)},
		"forbidden":          {change: answers(403), want: unknown(403)},
		"no HEAD":            {change: answers(405), want: unknown(405)},
		"too many requests":  {change: answers(429), want: unknown(429)},
		"a server error":     {change: answers(500), want: unknown(500)},
		"out of order":       {change: answers(503), want: unknown(503)},
		"no content":         {change: answers(204), want: unknown(204)},
		"not modified at us": {change: answers(304), want: unknown(304)},
	} {
		t.Run(name, func(t *testing.T) {
			b, v := audited(t)
			tc.change(v)
			out, err := b.audit(t)
			require.NoError(t, err)
			require.Equal(t, tc.want, out)
			require.Equal(t, []string{b.source.URL + " " + tc.want.Result}, b.seen.audited)
			require.EqualValues(t, 1, v.heads.Load())
			require.Equal(t, tc.gets, v.gets.Load())
			require.Equal(t, cache.Present, b.entry(t).State, "an audit purges only if it is configured")
			require.Zero(t, b.seen.auditPurged)
		})
	}
}

func answers(status int) func(*versioned) { return func(v *versioned) { v.status = status } }

func unknown(status int) activities.AuditResult {
	return activities.AuditResult{Result: activities.AuditUnknown, Cause: "BadHTTPStatus", Status: status}
}

// TestAuditOfAnUnreachableSource has the source close, and then the policy refuse it.
func TestAuditOfAnUnreachableSource(t *testing.T) {
	b, _ := audited(t)
	b.origin.served.Close()
	out, err := b.audit(t)
	require.NoError(t, err)
	require.Equal(t, activities.AuditResult{Result: activities.AuditUnknown, Cause: "SourceUnreachable"}, out)
}

// TestAuditWithoutAUsableCopy asks the source nothing.
func TestAuditWithoutAUsableCopy(t *testing.T) {
	for name, edit := range map[string]func(*testing.T, *fixture){
		"no copy": func(t *testing.T, b *fixture) { require.NoError(t, b.bucket.Delete(t.Context(), b.object.Key())) },
		"a copy that was purged": func(t *testing.T, b *fixture) {
			_, err := b.cache.Purge(t.Context(), b.key())
			require.NoError(t, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			b, v := audited(t)
			edit(t, b)
			out, err := b.audit(t)
			require.NoError(t, err)
			require.Equal(t, activities.AuditResult{Result: activities.AuditUnknown, Cause: activities.CauseNoCopy}, out)
			require.Zero(t, v.heads.Load()+v.gets.Load())
		})
	}
}

// TestAuditPurge purges a copy whose source has changed, and no other.
func TestAuditPurge(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(v *versioned)
		purged bool
	}{
		"different": {func(v *versioned) { v.header["Etag"] = []string{`"2"`} }, true},
		"same":      {func(*versioned) {}, false},
		"gone":      {answers(404), false},
		"unknown":   {answers(500), false},
	} {
		t.Run(name, func(t *testing.T) {
			b, v := audited(t)
			b.AuditPurge = true
			tc.change(v)
			out, err := b.audit(t)
			require.NoError(t, err)
			require.Equal(t, tc.purged, out.Purged)
			_, stored := b.bucket.Body(b.object.Key())
			require.Equal(t, !tc.purged, stored)
			require.Equal(t, tc.purged, b.entry(t).State == cache.Absent)
			require.Equal(t, tc.purged, b.seen.auditPurged == 1)
			generation, err := b.cache.Generation(t.Context(), b.key())
			require.NoError(t, err)
			require.Equal(t, tc.purged, generation > 0)
			// A copy that ran meanwhile is not published.
			err = b.cache.Put(t.Context(), b.key(), 0, b.Rules.Present(b.Now(), cache.Copy{}))
			require.Equal(t, tc.purged, errors.Is(err, cache.ErrPurged))
		})
	}
}

// TestAuditPurgesTwice starts a copy in the middle of the purge. It is not published either.
func TestAuditPurgesTwice(t *testing.T) {
	b, v := audited(t)
	b.AuditPurge = true
	v.header["Etag"] = []string{`"2"`}
	between := int64(0)
	b.bucket.OnDelete = func() { between, _ = b.cache.Generation(t.Context(), b.key()) }
	out, err := b.audit(t)
	require.NoError(t, err)
	require.True(t, out.Purged)
	require.Positive(t, between)
	require.ErrorIs(t, b.cache.Put(t.Context(), b.key(), between, b.Rules.Present(b.Now(), cache.Copy{})), cache.ErrPurged)
}

// TestAuditGivesItsConnectionBack confirms two changes over the only connection of the host.
func TestAuditGivesItsConnectionBack(t *testing.T) {
	b, v := audited(t)
	v.header["Etag"] = []string{`"2"`}
	var err error
	b.origin.Client, err = origin.New(origin.Config{
		Allowed: []string{"http://127.0.0.1:*/"}, AllowedNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, MaxConnsPerHost: 1,
	})
	require.NoError(t, err)
	for range 2 {
		out, err := b.audit(t)
		require.NoError(t, err)
		require.Equal(t, activities.AuditResult{Result: activities.AuditDifferent}, out)
	}
	require.EqualValues(t, 2, v.gets.Load())
}

// TestCancelledAuditFinishesItsPurge cancels the audit between the two purges of the entry.
func TestCancelledAuditFinishesItsPurge(t *testing.T) {
	b, v := audited(t)
	b.AuditPurge = true
	v.header["Etag"] = []string{`"2"`}
	ctx, cancel := context.WithCancel(t.Context())
	b.number(ctx)
	between := int64(0)
	b.bucket.OnDelete = func() {
		between, _ = b.cache.Generation(t.Context(), b.key())
		cancel()
	}
	_, _ = b.audit(t) // A cancelled audit may end with an error
	require.Error(t, ctx.Err())
	require.Positive(t, between)
	_, stored := b.bucket.Body(b.object.Key())
	require.False(t, stored)
	after, err := b.cache.Generation(t.Context(), b.key())
	require.NoError(t, err)
	require.Greater(t, after, between)
}

// TestAuditDoesNotPurgeANewCopy has an operator purge the object, and a client request it again,
// while the source answers.
func TestAuditDoesNotPurgeANewCopy(t *testing.T) {
	b, v := audited(t)
	b.AuditPurge = true
	v.header["Etag"] = []string{`"2"`}
	b.origin.get = func(w http.ResponseWriter, r *http.Request) {
		generation, err := b.cache.Generation(t.Context(), b.key())
		if err == nil && generation == 0 {
			generation, err = b.cache.Purge(t.Context(), b.key())
		}
		if err == nil {
			err = b.cache.Put(t.Context(), b.key(), generation, b.Rules.Present(b.Now(), cache.Copy{Size: 5}))
		}
		if err != nil {
			t.Error(err)
		}
		v.serve(w, r)
	}
	out, err := b.audit(t)
	require.NoError(t, err)
	require.Equal(t, activities.AuditResult{Result: activities.AuditDifferent}, out)
	require.Equal(t, cache.Present, b.entry(t).State)
	_, stored := b.bucket.Body(b.object.Key())
	require.True(t, stored)
}

// TestAuditWithoutRedis compares, but does not purge.
func TestAuditWithoutRedis(t *testing.T) {
	b, v := audited(t)
	b.AuditPurge = true
	v.header["Etag"] = []string{`"2"`}
	b.cache.Fail(errors.New("down"))
	out, err := b.audit(t)
	require.NoError(t, err)
	require.Equal(t, activities.AuditResult{Result: activities.AuditDifferent}, out)
	_, stored := b.bucket.Body(b.object.Key())
	require.True(t, stored)
}

// TestMaintenanceEndsQuietly has the bucket fail. Every attempt except the last fails, and only the
// last counts.
func TestMaintenanceEndsQuietly(t *testing.T) {
	for name, run := range map[string]struct {
		run     func(*fixture) (string, error)
		last    string
		counted func(*observerDouble) []string
	}{
		"Audit": {
			func(b *fixture) (string, error) { out, err := b.audit(t); return out.Cause, err },
			activities.ClassStorage, func(o *observerDouble) []string { return o.audited },
		},
		"Refresh": {
			func(b *fixture) (string, error) { out, err := b.refresh(t); return out.Cause, err },
			activities.ClassStorage, func(o *observerDouble) []string { return o.refreshed },
		},
	} {
		t.Run(name, func(t *testing.T) {
			b, _ := audited(t)
			b.bucket.Err = errors.New("down")
			n := b.number(t.Context())
			for n.attempt = 1; n.attempt < activities.MaintenanceAttempts; n.attempt++ {
				_, err := run.run(b)
				requireFailure(t, err, activities.ClassStorage, false)
				require.Empty(t, run.counted(b.seen))
			}
			cause, err := run.run(b)
			require.NoError(t, err)
			require.Equal(t, run.last, cause)
			require.Len(t, run.counted(b.seen), 1)
		})
	}
}
