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

// upload is a multipart upload under way.
type upload struct {
	run   *run
	id    storage.Upload
	state State

	mu   sync.Mutex
	have map[int32]storage.Part // what the bucket has, by number
}

// startUpload goes on with the earlier try's upload, or creates one. All other uploads under the key are nobody's: of an
// object there is only ever one copy at a time.
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
	size, err := r.copier.partSize(r.job.Meta.Size)
	if err != nil {
		return nil, tooLarge(err)
	}
	return u, u.create(ctx, State{PartSize: size})
}

// create begins an upload that the next try will know of, or none.
func (u *upload) create(ctx context.Context, state State) (err error) {
	if u.id, err = u.run.copier.Bucket.CreateUpload(ctx, u.run.spec); err != nil {
		return bucketError(err)
	}
	if u.state = state; !state.Stream {
		u.state.Upload = u.id.ID
	}
	u.run.job.Checkpoint(u.state)
	if ctx.Err() != nil {
		// Whoever goes on with this copy does not know of the upload.
		return errors.Join(ctx.Err(), u.abort(ctx))
	}
	return nil
}

// adopt takes over what the bucket has of an earlier try.
func (u *upload) adopt(listed []storage.Part) {
	all := parts(u.run.job.Meta.Size, u.state.PartSize)
	for _, p := range listed {
		if int(p.Number) <= len(all) && p.Size == all[p.Number-1].n && p.Sum != "" {
			u.have[p.Number] = p
		}
	}
	for number := int32(1); number <= u.state.Hashed; number++ {
		if _, ok := u.have[number]; !ok {
			// What is fetched in its place would not be what was hashed.
			u.state.Hashed = 0
		}
	}
	if u.state.Hashed > 0 && u.run.verifier.Restore(u.state.Hash) != nil {
		u.state.Hashed = 0
	}
}

// send stores a part unless the bucket has it: it may have been fetched only to be hashed. A request that is on its way
// is never cut from here, since the server might go on with it after an abort.
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

// complete makes the object appear if it has its digests.
func (u *upload) complete(ctx context.Context) (err error) {
	if err := u.run.verify(); err != nil {
		return u.resetIfLost(ctx, err)
	}
	all := make([]storage.Part, 0, len(u.have))
	for _, number := range slices.Sorted(maps.Keys(u.have)) {
		all = append(all, u.have[number])
	}
	u.run.result.Stored, err = u.run.copier.Bucket.CompleteUpload(ctx, u.run.spec, u.id, all)
	return u.resetIfLost(ctx, bucketError(err))
}

// resetIfLost makes sure that the next try begins anew if this one's upload can't become the object any more.
func (u *upload) resetIfLost(ctx context.Context, err error) error {
	var source *origin.Error
	corrupt := errors.As(err, &source) && source.Class == origin.ClassCorrupt || errors.Is(err, storage.ErrMismatch)
	if corrupt || ignoredRange(err) {
		err = errors.Join(err, u.abort(ctx))
	}
	if corrupt || errors.Is(err, storage.ErrNoUpload) {
		u.run.job.Checkpoint(State{})
	}
	return err
}

// abortTimeout bounds the clean-up, which goes on after the caller's context is over.
const abortTimeout = 10 * time.Second

func (u *upload) abort(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTimeout)
	defer cancel()
	return bucketError(u.run.copier.Bucket.AbortUpload(ctx, u.id))
}
