package copier

import (
	"context"
	"encoding/base64"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// ranges copies an object by parts that are read and stored in parallel, and goes on with an earlier try if there is one.
func (r *run) ranges(ctx context.Context) error {
	r.result.Way = WayRanges
	// Nobody else sees the whole of it.
	r.verifier = origin.NewVerifier(slices.Concat(r.Meta.Digests, r.Expect)...)
	u, err := r.upload(ctx)
	if err != nil {
		return err
	}
	missing := u.missing()
	for _, p := range u.have {
		r.Counters.Stored.Add(p.Size)
	}
	r.result.Resumed = r.Meta.Size
	for _, p := range missing {
		r.result.Resumed -= p.n
	}
	if err := u.copyParts(ctx, missing); err != nil {
		return u.lost(ctx, err)
	}
	return u.complete(ctx)
}

// upload is a multipart upload under way.
type upload struct {
	*run
	storage.Upload
	state State

	mu   sync.Mutex
	have map[int32]storage.Part // what the bucket has, by number
	// hashes are those of the parts that are hashed and stored, by number, as far as state has them not.
	hashes map[int32][]byte
}

// upload goes on with the earlier try's upload, or creates one. All other uploads under the key are nobody's: of an object
// there is only ever one copy at a time.
func (r *run) upload(ctx context.Context) (*upload, error) {
	u := &upload{run: r, state: r.Resume, have: map[int32]storage.Part{}, hashes: map[int32][]byte{}}
	u.Key, u.ID = r.Input.Key, r.Resume.Upload
	if err := r.abortOthers(ctx, u.Upload); err != nil {
		return nil, err
	}
	if u.ID != "" {
		listed, err := r.Bucket.ListParts(ctx, u.Upload)
		switch {
		case err == nil:
			u.adopt(listed)
			return u, nil
		case !errors.Is(err, storage.ErrNoUpload):
			return nil, bucketError(err)
		}
		r.result.Restarted = "the bucket lost the upload"
	}
	size, err := r.partSize(r.Meta.Size)
	if err != nil {
		return nil, tooLarge(err)
	}
	return u, u.create(ctx, State{PartSize: size})
}

func tooLarge(err error) error {
	return &origin.Error{Class: origin.ClassUnverifiable, Permanent: true, Text: err.Error()}
}

// abortOthers aborts what earlier copies left. A worker that was frozen and has lost its copy to another one learns of it
// before.
func (r *run) abortOthers(ctx context.Context, except storage.Upload) error {
	open, err := others(ctx, r.Bucket, except)
	if err != nil || len(open) == 0 {
		return bucketError(err)
	}
	if r.Checkpoint(r.Resume); ctx.Err() != nil {
		return ctx.Err()
	}
	return bucketError(abortAll(ctx, r.Bucket, open))
}

// AbortUploads aborts all uploads under the key of one but that one.
func AbortUploads(ctx context.Context, b Aborter, except storage.Upload) error {
	open, err := others(ctx, b, except)
	return errors.Join(err, abortAll(ctx, b, open))
}

func abortAll(ctx context.Context, b Aborter, open []storage.Upload) (err error) {
	for _, u := range open {
		err = errors.Join(err, b.AbortUpload(ctx, u))
	}
	return err
}

func others(ctx context.Context, b Aborter, except storage.Upload) ([]storage.Upload, error) {
	open, err := b.ListUploads(ctx, except.Key)
	return slices.DeleteFunc(open, func(u storage.Upload) bool { return u.Key != except.Key || u.ID == except.ID }), err
}

// create begins an upload that the next try will know of, or none.
func (u *upload) create(ctx context.Context, state State) (err error) {
	if u.Upload, err = u.Bucket.CreateUpload(ctx, u.Input); err != nil {
		return bucketError(err)
	}
	if u.state = state; !state.Stream {
		u.state.Upload = u.ID
	}
	u.Checkpoint(u.state)
	if ctx.Err() != nil {
		// Whoever goes on with this copy does not know of the upload.
		return errors.Join(ctx.Err(), u.abort(ctx))
	}
	return nil
}

// adopt takes over what the bucket has of an earlier try.
func (u *upload) adopt(listed []storage.Part) {
	all := parts(u.Meta.Size, u.state.PartSize)
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
	if u.state.Hashed > 0 && u.verifier.Restore(u.state.Hash) != nil {
		u.state.Hashed = 0
	}
}

// copyParts copies what is missing. After a failure no part is begun any more, but those under way are finished, since
// their bytes are paid for; unless they are of no use any more.
func (u *upload) copyParts(ctx context.Context, missing []part) error {
	reading, cancel := context.WithCancel(ctx)
	defer cancel()
	var all sync.WaitGroup
	var failed firstError
	slots := semaphore.NewWeighted(u.slots())
	hashed := closed()
	for _, p := range missing {
		buf, done, err := u.begin(reading, slots, p.n)
		if err != nil {
			failed.set(err)
		}
		if failed.is() != nil {
			done()
			break
		}
		before, after := hashed, make(chan struct{})
		hashed = after
		all.Go(func() {
			defer done()
			body, hash, err := u.fetchPart(reading, p, buf, before)
			if err == nil {
				close(after)
				err = u.send(ctx, p.number, body)
			}
			if err == nil {
				u.note(p.number, hash)
			}
			failed.set(err)
			if err != nil && !u.worthFinishing(err) {
				cancel()
			}
		})
	}
	all.Wait()
	return failed.is()
}

// slots is how many parts are under way; large ones, which are in files, take more disk than anybody expects.
func (u *upload) slots() int64 {
	if u.state.PartSize > u.Memory.MaxBuffer() {
		return min(2, int64(u.Parts))
	}
	return int64(u.Parts)
}

// missing are the parts that have to be fetched, the first ones first.
func (u *upload) missing() (missing []part) {
	for _, p := range parts(u.Meta.Size, u.state.PartSize) {
		_, ok := u.have[p.number]
		if !ok || u.verifier.Needed() && p.number > u.state.Hashed {
			missing = append(missing, p)
		}
	}
	return missing
}

// worthFinishing tells whether what is under way is of use to the next try.
func (u *upload) worthFinishing(err error) bool {
	var source *origin.Error
	gone := errors.As(err, &source) && (source.Permanent || source.Class == origin.ClassChanged) || ignoredRange(err)
	return !gone && !errors.Is(err, storage.ErrNoUpload) && !errors.Is(err, context.Canceled) && !u.verifier.Needed()
}

// fetchPart reads a part, and hashes it after the one before, if there is a digest to compare.
func (u *upload) fetchPart(
	ctx context.Context, p part, buf *buffer, before <-chan struct{},
) (body storage.Body, hash []byte, err error) {
	body, err = u.fill(ctx, buf, func(ctx context.Context) (*origin.Body, error) {
		return u.Source.GetRange(ctx, u.URL, u.Meta, p.off, p.n)
	})
	if err == nil && u.verifier.Needed() {
		hash, err = u.hash(ctx, p, buf, before)
	}
	return body, hash, err
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
	stored, err := u.Bucket.UploadPart(ctx, u.Upload, number, body)
	if err != nil {
		return bucketError(err)
	}
	u.mu.Lock()
	u.have[number] = stored
	u.mu.Unlock()
	u.Counters.Stored.Add(body.Size - have.Size)
	return nil
}

// hashBlock is a multiple of the block size of every hash there is, in bytes.
const hashBlock = 128

// hash takes a part into the digests when it is its turn, and returns their state.
func (u *upload) hash(ctx context.Context, p part, buf *buffer, before <-chan struct{}) ([]byte, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-before:
	}
	if err := buf.copyTo(u.verifier); err != nil {
		return nil, err
	}
	if (p.off+p.n)%hashBlock != 0 {
		return nil, nil // the state would have bytes of the source in it, and nobody wants them in a history
	}
	return u.verifier.State()
}

// note tells the next try how far all parts are both hashed and stored: it goes on from there without looking at them.
func (u *upload) note(number int32, hash []byte) {
	if hash == nil {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.hashes[number] = hash
	before := u.state.Hashed
	for next := u.hashes[u.state.Hashed+1]; next != nil; next = u.hashes[u.state.Hashed+1] {
		u.state.Hashed++
		u.state.Hash = next
		delete(u.hashes, u.state.Hashed)
	}
	if u.state.Hashed > before {
		u.Checkpoint(u.state)
	}
}

// begin waits for the part's turn and for memory, in the order of parts, so that the first ones never wait for memory that
// later ones have. done is to be called in any case.
func (u *upload) begin(ctx context.Context, slots *semaphore.Weighted, n int64) (buf *buffer, done func(), err error) {
	var undo []func()
	done = func() {
		for _, f := range undo {
			f()
		}
	}
	u.Counters.Waiting.Add(1)
	defer u.Counters.Waiting.Add(-1)
	for _, limit := range []*semaphore.Weighted{slots, u.Limit} {
		if limit == nil {
			continue
		}
		if err := limit.Acquire(ctx, 1); err != nil {
			return nil, done, err
		}
		undo = append(undo, func() { limit.Release(1) })
	}
	if buf, err = u.buffer(ctx, u.Memory, n); err != nil {
		return nil, done, err
	}
	undo = append(undo, buf.release)
	return buf, done, nil
}

// complete makes the object appear if it has its digests.
func (u *upload) complete(ctx context.Context) (err error) {
	if err := u.verify(); err != nil {
		return u.lost(ctx, err)
	}
	all := make([]storage.Part, 0, len(u.have))
	for _, number := range slices.Sorted(maps.Keys(u.have)) {
		all = append(all, u.have[number])
	}
	u.result.Stored, err = u.Bucket.CompleteUpload(ctx, u.Input, u.Upload, all)
	return u.lost(ctx, bucketError(err))
}

// lost makes sure that the next try begins anew if this one's upload can't become the object any more.
func (u *upload) lost(ctx context.Context, err error) error {
	var source *origin.Error
	corrupt := errors.As(err, &source) && source.Class == origin.ClassCorrupt || errors.Is(err, storage.ErrMismatch)
	if corrupt || ignoredRange(err) {
		err = errors.Join(err, u.abort(ctx))
	}
	if corrupt || errors.Is(err, storage.ErrNoUpload) {
		u.Checkpoint(State{})
	}
	return err
}

// abortTimeout bounds the clean-up, which goes on after the caller's context is over.
const abortTimeout = 10 * time.Second

func (u *upload) abort(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTimeout)
	defer cancel()
	return bucketError(u.Bucket.AbortUpload(ctx, u.Upload))
}

// firstError keeps the first error that it is told; the others are mostly its consequences.
type firstError struct {
	mu  sync.Mutex
	err error
}

func (f *firstError) set(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.err = err
	}
}

func (f *firstError) is() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

func closed() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}
