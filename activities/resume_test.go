package activities_test

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/activities/copier"
	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
	"github.com/cloud-mirror/cloud-mirror/workflows/copyid"
)

const parts = 4

// large gives the source an object of several parts, and ranges. It returns the object's bytes.
func (b *fixture) large() []byte { return b.largeWith(`"1"`) }

func (b *fixture) largeWith(etag string) []byte {
	body := []byte(strings.Repeat("0123456789abcdef", parts*storage.MinPartSize/16))
	b.origin.get = func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Etag", etag)
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(string(body)))
	}
	return body
}

func (b *fixture) input() activities.StreamCopyInput {
	return activities.StreamCopyInput{
		Source: b.source, CopyID: "run/1",
		Meta: origin.Meta{Size: parts * storage.MinPartSize, ETag: `"1"`, AcceptRanges: true},
	}
}

func (b *fixture) copyLarge(t *testing.T, in activities.StreamCopyInput) (activities.Copy, error) {
	t.Helper()
	out, err := b.copyOnce(t, in)
	require.Nil(t, out.Large, "the object was only described")
	return out.Copy, err
}

func (b *fixture) copyOnce(t *testing.T, in activities.StreamCopyInput) (activities.StreamCopyResult, error) {
	t.Helper()
	v, err := b.env.ExecuteActivity(b.StreamCopy, in)
	var out activities.StreamCopyResult
	if err == nil {
		require.NoError(t, v.Get(&out))
	}
	return out, err
}

func progressOf(t *testing.T, err error) activities.Progress {
	t.Helper()
	var app *temporal.ApplicationError
	require.ErrorAs(t, err, &app)
	var f activities.Failure
	var p activities.Progress
	require.NoError(t, app.Details(&f, &p))
	return p
}

func TestAttemptResumesAfterAFailure(t *testing.T) {
	for name, how := range map[string]func(b *fixture, in *activities.StreamCopyInput, p activities.Progress){
		"from its heartbeat": func(b *fixture, _ *activities.StreamCopyInput, p activities.Progress) { b.env.SetHeartbeatDetails(p) },
		"from the workflow":  func(_ *fixture, in *activities.StreamCopyInput, p activities.Progress) { in.Resume = p.Resume },
		"from its heartbeat rather than the workflow": func(b *fixture, in *activities.StreamCopyInput, p activities.Progress) {
			in.Resume.Upload = "an older upload"
			b.env.SetHeartbeatDetails(p)
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newFixture(t)
			body := b.large()
			b.bucket.OnPart = func(number int32) error {
				if number == parts {
					return errors.New("down")
				}
				return nil
			}
			_, err := b.copyLarge(t, b.input())
			requireFailure(t, err, activities.ClassStorage, false)
			p := progressOf(t, err)
			require.NotEmpty(t, p.Resume.Upload)
			require.EqualValues(t, (parts-1)*storage.MinPartSize, p.Done)

			b.bucket.OnPart = nil
			in := b.input()
			how(b, &in, p)
			out, err := b.copyLarge(t, in)
			require.NoError(t, err)
			require.EqualValues(t, (parts-1)*storage.MinPartSize, out.Resumed)
			require.EqualValues(t, storage.MinPartSize, out.Fetched)
			require.Equal(t, copier.WayRanges, out.Way)
			stored, _ := b.bucket.Body(b.object.Key())
			require.Equal(t, string(body), string(stored))
		})
	}
}

// TestAttemptKeepsTheProgressOfAnEarlierAttempt runs while the bucket is down and can list no
// parts.
func TestAttemptKeepsTheProgressOfAnEarlierAttempt(t *testing.T) {
	b := newFixture(t)
	b.large()
	before := activities.Progress{Done: 700, Total: 1000, Resume: copier.State{Upload: "u", PartSize: 5}}
	b.env.SetHeartbeatDetails(before)
	b.bucket.Err = errors.New("down")
	_, err := b.copyLarge(t, b.input())
	requireFailure(t, err, activities.ClassStorage, false)
	require.EqualValues(t, 700, progressOf(t, err).Done)
	require.Equal(t, before.Resume, progressOf(t, err).Resume)

	// The bucket has lost the upload, so only parts of the new upload count.
	b.bucket.Err = nil
	b.bucket.OnPart = func(number int32) error {
		if number > 1 {
			return errors.New("down")
		}
		return nil
	}
	_, err = b.copyLarge(t, b.input())
	requireFailure(t, err, activities.ClassStorage, false)
	require.EqualValues(t, storage.MinPartSize, progressOf(t, err).Done)
}

func TestAttemptFindsTheCopyOfAnEarlierAttempt(t *testing.T) {
	b := newFixture(t)
	b.large()
	first, err := b.copyLarge(t, b.input())
	require.NoError(t, err)
	b.origin.get = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) }
	in := b.input()
	in.Resume.Upload = "completed"
	again, err := b.copyLarge(t, in)
	require.NoError(t, err)
	require.Equal(t, first.CRC64NVME, again.CRC64NVME)
	require.Zero(t, again.Fetched)
}

func TestAttemptReplacesAPurgedCopy(t *testing.T) {
	b := newFixture(t)
	body := b.large()
	_, err := b.bucket.Put(t.Context(), storage.ObjectSpec{
		Key: b.object.Key(), Metadata: map[string]string{storage.MetadataGeneration: "3"},
	}, b.bucket.Checksum().Body([]byte("purged")))
	require.NoError(t, err)
	in := b.input()
	in.Generation, in.Resume.Upload = 7, "gone"
	out, err := b.copyLarge(t, in)
	require.NoError(t, err)
	require.NotEmpty(t, out.Restarted)
	stored, _ := b.bucket.Body(b.object.Key())
	require.Equal(t, string(body), string(stored))

	// It does not replace a newer copy.
	in.Generation, in.CopyID = 5, "another"
	_, err = b.copyLarge(t, in)
	requireFailure(t, err, activities.ClassPurged, true)
	stored, _ = b.bucket.Body(b.object.Key())
	require.Equal(t, string(body), string(stored))
}

func TestCopyThatWouldOverwriteAnObjectIsRetried(t *testing.T) {
	b := newFixture(t)
	_, err := b.bucket.Put(t.Context(), storage.ObjectSpec{Key: b.object.Key()}, b.bucket.Checksum().Body([]byte("another")))
	require.NoError(t, err)
	in := b.input()
	b.large()
	_, err = b.copyLarge(t, in)
	requireFailure(t, err, activities.ClassStorage, false)
	stored, _ := b.bucket.Body(b.object.Key())
	require.Equal(t, "another", string(stored))
}

// helloSHA256 is the digest of the body.
const helloSHA256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"

// TestExpectedSHA256 makes the copy with any expected digest, and computes the true digest. A
// digest belongs to a request, not to the object.
func TestExpectedSHA256(t *testing.T) {
	for name, tc := range map[string]struct{ expected, want string }{
		"none":  {"", ""},
		"right": {helloSHA256, helloSHA256},
		"wrong": {strings.Repeat("0", 64), helloSHA256},
	} {
		t.Run(name, func(t *testing.T) {
			b := newFixture(t)
			b.origin.get = func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }
			in := b.first()
			in.SHA256 = tc.expected
			copied, err := b.copyLarge(t, in)
			require.NoError(t, err)
			require.Equal(t, tc.want, copied.SHA256)
			spec, _ := b.bucket.Spec(b.object.Key())
			require.Equal(t, tc.want, spec.Metadata[storage.MetadataSHA256])

			v, err := b.env.ExecuteActivity(b.HeadSource, activities.HeadSourceInput{Source: b.source})
			require.NoError(t, err)
			var out activities.HeadSourceResult
			require.NoError(t, v.Get(&out))
			require.Equal(t, tc.want, out.Stored.SHA256)
		})
	}
}

// TestSourceSendsAnotherDigest tells the client before the object is read: the lease carries the
// digest that the source sent.
func TestSourceSendsAnotherDigest(t *testing.T) {
	for name, expected := range map[string]string{"another": strings.Repeat("0", 64), "the same": helloSHA256, "none": ""} {
		t.Run(name, func(t *testing.T) {
			b := newFixture(t)
			during := make(chan cache.Entry, 1)
			b.origin.get = func(w http.ResponseWriter, _ *http.Request) {
				sum, _ := hex.DecodeString(helloSHA256)
				w.Header().Set("Repr-Digest", "sha-256=:"+base64.StdEncoding.EncodeToString(sum)+":")
				w.Header().Set("Content-Length", "5")
				w.(http.Flusher).Flush()
				if expected != "" && expected != helloSHA256 {
					assert.Eventually(t, func() bool { return b.entry(t).SHA256 != "" }, 5*time.Second, time.Millisecond)
				}
				during <- b.entry(t)
				_, _ = io.WriteString(w, body)
			}
			in := b.first()
			in.SHA256 = expected
			copied, err := b.copyLarge(t, in)
			require.NoError(t, err)
			require.Equal(t, helloSHA256, copied.SHA256)
			require.Equal(t, name == "another", (<-during).HasOtherDigest(expected))
		})
	}
}

func TestAbortUpload(t *testing.T) {
	b := newFixture(t)
	for _, key := range []string{b.object.Key(), b.object.Key(), b.object.Key() + "x"} {
		_, err := b.bucket.CreateUpload(t.Context(), storage.ObjectSpec{Key: key})
		require.NoError(t, err)
	}
	_, err := b.env.ExecuteActivity(b.AbortUpload, activities.AbortUploadInput{Source: b.source})
	require.NoError(t, err)
	open, err := b.bucket.ListUploads(t.Context(), "")
	require.NoError(t, err)
	require.Len(t, open, 1)
	require.Equal(t, b.object.Key()+"x", open[0].Key)
}

func TestSweepAbortsUploadsWithoutARunningWorkflow(t *testing.T) {
	b := newFixture(t)
	orphan := storage.Object{Service: "s3", Region: "us-west-2", URL: "https://example.com/orphan"}
	for _, key := range []string{b.object.Key(), orphan.Key(), "foreign/key"} {
		_, err := b.bucket.CreateUpload(t.Context(), storage.ObjectSpec{Key: key})
		require.NoError(t, err)
	}
	b.owners[copyid.Short(b.object.Hash())] = true
	sweep := func(older time.Duration) activities.SweepResult {
		v, err := b.env.ExecuteActivity(b.SweepUploads, activities.SweepInput{OlderThan: older})
		require.NoError(t, err)
		var out activities.SweepResult
		require.NoError(t, v.Get(&out))
		return out
	}
	b.Now = func() time.Time { return time.Time{}.Add(time.Hour) } // The double's uploads have the zero time
	require.Equal(t, activities.SweepResult{Young: 2, Foreign: 1}, sweep(2*time.Hour))
	require.Equal(t, activities.SweepResult{Aborted: 1, Owned: 1, Foreign: 1}, sweep(time.Hour))
	require.Equal(t, activities.SweepResult{Owned: 1, Foreign: 1}, sweep(0))
	require.Equal(t, activities.SweepResult{Owned: 1, Foreign: 1}, b.seen.swept)
	require.False(t, b.seen.sweepFailed)
}
