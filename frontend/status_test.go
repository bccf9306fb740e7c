package frontend_test

import (
	"errors"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
)

// TestStatusDuringOutages requests the status of a copy while redis, the bucket or both fail. A
// status is never a guess.
func TestStatusDuringOutages(t *testing.T) {
	down := errors.New("down")
	pending := func(t *testing.T, f *fixture) {
		_, mine, err := f.cache.Acquire(t.Context(), key(), cachetest.Rules().Pending(time.Now(), "another", 0, -1))
		require.NoError(t, err)
		require.True(t, mine)
	}
	present := func(t *testing.T, f *fixture) { f.put(t, cachetest.Rules().Present(time.Now(), cache.Copy{})) }
	stored := func(t *testing.T, f *fixture) { f.store(t, "0") }
	for name, tc := range map[string]struct {
		prepare       func(*testing.T, *fixture)
		redis, bucket error
		want          string // the status, or empty for 503
	}{
		"no copy":                                  {nil, nil, nil, "absent"}, // control
		"pending":                                  {pending, nil, nil, "pending"},
		"pending, redis is down":                   {pending, down, nil, ""},
		"no copy, redis is down":                   {nil, down, nil, ""},
		"in the bucket, redis is down":             {stored, down, nil, string(cache.Present)},
		"in the bucket, redis has no entry":        {stored, nil, nil, string(cache.Present)},
		"no entry, the bucket is down":             {stored, nil, down, ""},
		"present, the bucket is down":              {present, nil, down, string(cache.Present)},
		"present, redis and the bucket are down":   {present, down, down, ""},
		"nothing known, redis and bucket are down": {nil, down, down, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			if tc.prepare != nil {
				tc.prepare(t, f)
			}
			f.cache.Fail(tc.redis)
			f.bucket.Err = tc.bucket
			a := f.ask(t, "GET", "/v1/status/s3/us-west-2/"+url.QueryEscape(source))
			if tc.want == "" {
				require.Equal(t, 503, a.status, "%v", a.body)
				require.Equal(t, "ServiceUnavailable", a.body["code"])
				require.NotEmpty(t, a.header.Get("Retry-After"))
				return
			}
			require.Equal(t, 200, a.status)
			require.Equal(t, tc.want, a.body["status"])
		})
	}
}
