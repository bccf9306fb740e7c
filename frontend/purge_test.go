package frontend_test

import (
	"bytes"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
	bearer "github.com/cloud-mirror/cloud-mirror/frontend/token"
	"github.com/cloud-mirror/cloud-mirror/storage"
)

func TestPurge(t *testing.T) {
	purge := func(region string) string { return "/v1/purge/s3/" + region + "/" + url.QueryEscape(source) }
	for name, tc := range map[string]struct {
		target, authorization string
		status, cancelled     int
	}{
		"one region":          {purge("us-west-2"), "Bearer " + token, 204, 1},
		"all regions":         {purge("all"), "Bearer " + token, 204, 2},
		"another region":      {purge("us-east-1"), "bearer " + token, 204, 1},
		"no token":            {purge("us-west-2"), "", 401, 0},
		"wrong token":         {purge("us-west-2"), "Bearer nope", 401, 0},
		"another scope":       {purge("us-west-2"), "Bearer " + otherToken, 403, 0},
		"another scheme":      {purge("us-west-2"), "Basic " + token, 401, 0},
		"no token, no region": {purge("mars-1"), "", 401, 0},
		"region unknown":      {purge("mars-1"), "Bearer " + token, 404, 0},
		"not encoded":         {"/v1/purge/s3/us-west-2/https://example.com/x", "Bearer " + token, 400, 0},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.store(t, "0")
			f.put(t, cachetest.Rules().Present(time.Now(), cache.Copy{}))
			a := f.ask(t, "DELETE", tc.target, "Authorization", tc.authorization)
			require.Equal(t, tc.status, a.status, a.raw)
			require.Equal(t, tc.cancelled, f.queue.requests(queue.Cancel))
			gone := tc.status == 204 && !strings.Contains(tc.target, "us-east-1")
			_, stored := f.bucket.Body(object().Key())
			require.Equal(t, gone, !stored)
			e, err := f.cache.Get(t.Context(), key())
			require.NoError(t, err)
			require.Equal(t, gone, e.State == cache.Absent)
		})
	}
	t.Run("the log names the token", func(t *testing.T) {
		var log bytes.Buffer
		f := newFixture(t, func(o *options) { o.Log = zerolog.New(&log) })
		require.Equal(t, 204, f.ask(t, "DELETE", purge("us-west-2"), "Authorization", "Bearer "+token).status)
		require.Contains(t, log.String(), `"token":"all","message":"purged"`)
		require.NotContains(t, log.String(), token)
	})
	t.Run("no token is configured", func(t *testing.T) {
		f := newFixture(t, func(o *options) { o.Tokens = bearer.NewGuard(bearer.Options{}) })
		require.Equal(t, 401, f.ask(t, "DELETE", purge("all"), "Authorization", "Bearer ").status)
	})
	t.Run("SQS is down", func(t *testing.T) {
		f := newFixture(t)
		f.queue.err = errors.New("down")
		a := f.ask(t, "DELETE", purge("us-west-2"), "Authorization", "Bearer "+token)
		require.Equal(t, 503, a.status)
		require.NotEmpty(t, a.header.Get("Retry-After"))
	})
}

// TestPurgeIsFinishedLater has redis or S3 fail at each step of a purge. A workflow is asked to
// finish it, unless SQS is down as well.
func TestPurgeIsFinishedLater(t *testing.T) {
	down := errors.New("down")
	for name, tc := range map[string]struct {
		fail       func(f *fixture)
		generation bool // The message has one
	}{
		"redis is down":         {func(f *fixture) { f.cache.Fail(down) }, false},
		"S3 is down":            {func(f *fixture) { f.bucket.Err = down }, true},
		"redis dies in between": {func(f *fixture) { f.cache.FailAfter(1, down) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			tc.fail(f)
			a := f.ask(t, "DELETE", "/v1/purge/s3/us-west-2/"+url.QueryEscape(source), "Authorization", "Bearer "+token)
			require.Equal(t, 202, a.status)
			require.JSONEq(t, `{"msg":"The purge could not be finished, and a workflow finishes it","pools":["s3_us-west-2"]}`, a.raw)
			require.Equal(t, 1, f.queue.requests(queue.Delete))
			require.Zero(t, f.queue.requests(queue.Cancel), "the workflow ends the running copy")
			require.Equal(t, tc.generation, f.queue.sent[0].Generation > 0)

			f.queue.err = down
			require.Equal(t, 503, f.ask(t, "DELETE", "/v1/purge/s3/us-west-2/"+url.QueryEscape(source), "Authorization", "Bearer "+token).status)
		})
	}
}

func TestPurgeOfAllRegionsContinuesAfterAFailure(t *testing.T) {
	f := newFixture(t)
	f.bucket.Err = errors.New("down") // The first of two pools.
	other := storage.Object{Service: "s3", Region: "us-east-1", URL: source}
	_, err := f.other.Put(t.Context(), storage.ObjectSpec{Key: other.Key()}, f.other.Checksum().Body([]byte("x")))
	require.NoError(t, err)
	a := f.ask(t, "DELETE", "/v1/purge/s3/all/"+url.QueryEscape(source), "Authorization", "Bearer "+token)
	require.Equal(t, 202, a.status)
	require.Contains(t, a.raw, `"pools":["s3_us-west-2"]`)
	_, stored := f.other.Body(other.Key())
	require.False(t, stored)
}

func TestCopyPublishedDuringAPurgeIsDropped(t *testing.T) {
	f := newFixture(t)
	f.bucket.OnDelete = func() {
		// Started after the purge, and published before its deletion.
		generation, err := f.cache.Generation(t.Context(), key())
		require.NoError(t, err)
		require.NoError(t, f.cache.Put(t.Context(), key(), generation, cachetest.Rules().Present(time.Now(), cache.Copy{})))
	}
	a := f.ask(t, "DELETE", "/v1/purge/s3/us-west-2/"+url.QueryEscape(source), "Authorization", "Bearer "+token)
	require.Equal(t, 204, a.status)
	e, err := f.cache.Get(t.Context(), key())
	require.NoError(t, err)
	require.Equal(t, cache.Absent, e.State, "clients are redirected to a deleted copy")
}

func TestPurgeContinuesWithoutItsClient(t *testing.T) {
	f := newFixture(t)
	f.store(t, "0")
	require.Equal(t, 204, f.leave(t, "DELETE", "/v1/purge/s3/us-west-2/"+url.QueryEscape(source)).Code)
	_, stored := f.bucket.Body(object().Key())
	require.False(t, stored)
}
