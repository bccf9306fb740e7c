package copier

import (
	"context"
	"encoding/base64"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// upload is a multipart upload in progress.
type upload struct {
	run   *run
	id    storage.Upload
	state State

	mu   sync.Mutex
	have map[int32]storage.Part // The parts in the bucket, by number
}

// startUpload resumes the upload of an earlier try, or creates one. It aborts all other uploads
// under the key: no copy owns them, because an object has one copy at a time.
func (r *run) startUpload(ctx context.Context) (*upload, error) {
	u := &upload{
		run: r, state: r.resume, have: map[int32]storage.Part{},
		id: storage.Upload{Key: r.spec.Key, ID: r.resume.Upload},
	}
	if err := r.abortOthers(ctx, u.id); err != nil {
		return nil, err
	}
	if u.id.ID != "" {
		listed, err := r.copier.Bucket.ListParts(ctx, u.id)
		switch {
		case err == nil:
			u.adopt(listed)
			return u, nil
		case !errors.Is(err, storage.ErrNoUpload):
			return nil, bucketError(err)
		}
		r.result.Restarted = "the bucket lost the upload"
	}
	size, err := r.copier.partSize(r.meta.Size)
	if err != nil {
		return nil, err
	}
	return u, u.create(ctx, r.state(size))
}

// create creates an upload and saves its id for the next try, or leaves none.
func (u *upload) create(ctx context.Context, state State) (err error) {
	if u.id, err = u.run.copier.Bucket.CreateUpload(ctx, u.run.spec); err != nil {
		return bucketError(err)
	}
	if u.state = state; !state.Stream {
		u.state.Upload = u.id.ID
	}
	u.run.job.Checkpoint(u.state)
	if ctx.Err() != nil {
		// The next try does not know the upload.
		return errors.Join(ctx.Err(), u.abort(ctx))
	}
	return nil
}

// adopt takes over the listed parts of an earlier try, and its digests' state if the parts bear it
// out.
func (u *upload) adopt(listed []storage.Part) {
	all := parts(u.run.meta.Size, u.state.PartSize)
	for _, p := range listed {
		if int(p.Number) <= len(all) && p.Size == all[p.Number-1].n && p.Sum != "" {
			u.have[p.Number] = p
		}
	}
	for number := int32(1); number <= u.state.Hashed; number++ {
		if _, ok := u.have[number]; !ok {
			// The saved digests cover this part, and it is lost. Fetched again, it could have other
			// bytes.
			u.state.Hashed = 0
		}
	}
	if u.state.Hashed > 0 && u.run.verifier.Restore(u.state.Hash) != nil {
		u.state.Hashed = 0
	}
}

// send stores a part unless the bucket has it: some parts are fetched only to be hashed. Nothing
// here cuts a request in flight, since the server might finish it after an abort.
func (u *upload) send(ctx context.Context, number int32, body storage.Body) error {
	u.mu.Lock()
	have := u.have[number]
	u.mu.Unlock()
	if have.Sum == base64.StdEncoding.EncodeToString(body.Sum) {
		return nil
	}
	stored, err := u.run.copier.Bucket.UploadPart(ctx, u.id, number, body)
	if err != nil {
		return bucketError(err)
	}
	u.mu.Lock()
	u.have[number] = stored
	u.mu.Unlock()
	u.run.job.Counters.Stored.Add(body.Size - have.Size)
	return nil
}

// complete compares the digests, and then makes the object appear.
func (u *upload) complete(ctx context.Context) (err error) {
	if err := u.run.verifier.Check(); err != nil {
		return u.resetIfLost(ctx, err)
	}
	all := make([]storage.Part, 0, len(u.have))
	for _, number := range slices.Sorted(maps.Keys(u.have)) {
		all = append(all, u.have[number])
	}
	u.run.result.Stored, err = u.run.copier.Bucket.CompleteUpload(ctx, u.run.spec, u.id, all)
	return u.resetIfLost(ctx, bucketError(err))
}

// resetIfLost makes the next try restart if err means that this upload can't become the object any
// more, and aborts the upload if it still exists. It returns err, joined with an error of the
// abort.
func (u *upload) resetIfLost(ctx context.Context, err error) error {
	var source *origin.Error
	corrupt := errors.As(err, &source) && source.Class == origin.ClassCorrupt ||
		errors.Is(err, storage.ErrMismatch) || errors.Is(err, storage.ErrRejected)
	switch {
	case corrupt:
		err = errors.Join(err, u.abort(ctx))
		// Ranges may be the reason: a plain GET is checked by itself.
		u.run.job.Checkpoint(State{Stream: true})
	case errors.Is(err, storage.ErrNoUpload):
		u.run.job.Checkpoint(State{Stream: u.state.Stream})
	}
	return err
}

// abortTimeout bounds the abort of an upload, which outlives the caller's context.
const abortTimeout = 10 * time.Second

// abort aborts the upload, even if ctx is done.
func (u *upload) abort(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTimeout)
	defer cancel()
	return bucketError(u.run.copier.Bucket.AbortUpload(ctx, u.id))
}
