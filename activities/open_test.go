package activities_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/storage"
)

// TestEveryActivityChecksItsSource gives every activity sources of other pools and of no object.
// Each fails at once, and changes nothing. The first case is the control.
func TestEveryActivityChecksItsSource(t *testing.T) {
	seal := func(b *fixture, change func(*storage.Object)) activities.SealedObject {
		o := b.object
		change(&o)
		return b.Sealer.Seal(o)
	}
	for name, tc := range map[string]struct {
		source func(b *fixture) activities.SealedObject
		class  string
	}{
		"its own": {func(b *fixture) activities.SealedObject { return b.source }, ""},
		"another region": {func(b *fixture) activities.SealedObject {
			return seal(b, func(o *storage.Object) { o.Region = "us-east-1" })
		}, activities.ClassWrongPool},
		"another service": {func(b *fixture) activities.SealedObject {
			return seal(b, func(o *storage.Object) { o.Service = "gcs" })
		}, activities.ClassWrongPool},
		"the same pool id": {func(b *fixture) activities.SealedObject {
			return seal(b, func(o *storage.Object) { o.Service, o.Region = "s3_us-west-2", "" })
		}, activities.ClassWrongPool},
		"another bucket": {func(b *fixture) activities.SealedObject {
			src := b.source
			src.Bucket = cache.NewSpace("", b.object.PoolID(), "", "another").Bucket()
			return src
		}, activities.ClassWrongPool},
		"its own bucket": {func(b *fixture) activities.SealedObject {
			src := b.source
			src.Bucket = b.Space.Bucket()
			return src
		}, ""},
		"no URL": {func(b *fixture) activities.SealedObject {
			return seal(b, func(o *storage.Object) { o.URL = "" })
		}, activities.ClassInvalidInput},
		"a URL without a host": {func(b *fixture) activities.SealedObject {
			return seal(b, func(o *storage.Object) { o.URL = "https:///a" })
		}, activities.ClassInvalidInput},
		"a URL of a file": {func(b *fixture) activities.SealedObject {
			return seal(b, func(o *storage.Object) { o.URL = "file:///etc/passwd" })
		}, activities.ClassInvalidInput},
		"another hash": {func(b *fixture) activities.SealedObject {
			src := seal(b, func(o *storage.Object) { o.URL = "https://example.com/a" })
			src.Hash = strings.Repeat("0a", 32)
			return src
		}, activities.ClassInvalidInput},
	} {
		t.Run(name, func(t *testing.T) {
			b := newFixture(t)
			src := tc.source(b)
			in := b.first()
			in.Source = src
			for activity, run := range map[string]func() error{
				"HeadSource": func() error {
					_, err := b.env.ExecuteActivity(b.HeadSource, activities.HeadSourceInput{Source: src})
					return err
				},
				"StreamCopy": func() error {
					_, err := b.env.ExecuteActivity(b.StreamCopy, in)
					return err
				},
				"UpdateCache": func() error {
					_, err := b.env.ExecuteActivity(b.UpdateCache, activities.UpdateCacheInput{
						Source: src, Known: true, Failure: &activities.Failure{Class: activities.ClassStalled},
					})
					return err
				},
				"AbortUpload": func() error {
					_, err := b.env.ExecuteActivity(b.AbortUpload, activities.AbortUploadInput{Source: src})
					return err
				},
				"Audit": func() error {
					_, err := b.env.ExecuteActivity(b.Audit, activities.AuditInput{Source: src})
					return err
				},
				"PurgeCopy": func() error {
					_, err := b.env.ExecuteActivity(b.PurgeCopy, activities.PurgeInput{Source: src, Generation: 1})
					return err
				},
				"Refresh": func() error {
					_, err := b.env.ExecuteActivity(b.Refresh, activities.RefreshInput{Source: src})
					return err
				},
			} {
				err := run()
				if tc.class == "" {
					require.NoError(t, err, activity)
					continue
				}
				requireFailure(t, err, tc.class, true)
				require.Equal(t, cache.Absent, b.entry(t).State, activity)
			}
			_, copied := b.bucket.Body(b.object.Key())
			require.False(t, copied && tc.class != "")
			require.Equal(t, tc.class == "", b.origin.requests.Load() > 0)
		})
	}
}

// TestWrongPoolIsNamed names both pools.
func TestWrongPoolIsNamed(t *testing.T) {
	b := newFixture(t)
	b.source.Region = "us-east-1"
	_, err := b.headSource(t)
	requireFailure(t, err, activities.ClassWrongPool, true)
	require.ErrorContains(t, err, `the source is for pool "s3_us-east-1", and the pool of this task queue is "s3_us-west-2"`)
}

func TestSweepChecksItsPool(t *testing.T) {
	for pool, class := range map[string]string{"": "", "s3_us-west-2": "", "s3_us-east-1": activities.ClassWrongPool} {
		b := newFixture(t)
		_, err := b.env.ExecuteActivity(b.SweepUploads, activities.SweepInput{Pool: pool, OlderThan: time.Hour})
		if class == "" {
			require.NoError(t, err, pool)
			continue
		}
		requireFailure(t, err, class, true)
	}
}

func TestStreamCopyChecksTheDigest(t *testing.T) {
	for digest, class := range map[string]string{
		"":                           "",
		helloSHA256:                  "",
		strings.Repeat("0a", 32):     "", // Another object's, which fails no copy
		"xyz":                        activities.ClassInvalidInput,
		strings.ToUpper(helloSHA256): activities.ClassInvalidInput,
		helloSHA256[:62]:             activities.ClassInvalidInput,
	} {
		b := newFixture(t)
		in := b.first()
		in.SHA256 = digest
		_, err := b.env.ExecuteActivity(b.StreamCopy, in)
		if class == "" {
			require.NoError(t, err, digest)
			continue
		}
		requireFailure(t, err, class, true)
		require.Zero(t, b.origin.requests.Load())
	}
}

// TestTerminatedCopyIsRecorded has a heartbeat report that the run has ended. Only a termination is
// recorded, and only over this run's own lease.
func TestTerminatedCopyIsRecorded(t *testing.T) {
	for name, tc := range map[string]struct {
		terminated bool
		owner      string // Empty is this run
		want       cache.State
	}{
		"terminated":                      {true, "", cache.Error},
		"an attempt that timed out":       {false, "", cache.Pending},
		"another run has taken the lease": {true, "another", cache.Pending},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAttempts(t)
			a.owners[terminated] = tc.terminated
			ctx, cancel := context.WithCancelCause(t.Context())
			_, err := a.headSource(t)
			require.NoError(t, err)
			if lease := a.entry(t); tc.owner != "" {
				lease.Owner = tc.owner
				require.NoError(t, a.cache.Put(t.Context(), a.key(), 0, lease))
			}
			a.number(ctx).attempt = 1
			a.origin.err = errors.New("cancelled")
			cancel(serviceerror.NewNotFound("workflow execution already completed"))
			f, final, _ := a.run(t)
			require.Equal(t, activities.ClassEnded, f.Class)
			require.False(t, final)
			e := a.entry(t)
			require.Equal(t, tc.want, e.State)
			if tc.want == cache.Error {
				require.Equal(t, activities.ClassTerminated, e.Class)
				require.True(t, e.Final(), "a client waits, and restarts the copy")
			}
		})
	}
}
