package activities

import (
	"errors"
	"fmt"
	"net/url"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/seal"
)

// The errors of inputs that no attempt can use. An operator wrote such an input, or started the
// workflow in a wrong task queue.
var (
	errWrongPool    = errors.New("the workflow runs in the task queue of another pool")
	errInvalidInput = errors.New("the input is invalid")
)

// open returns the object of an activity's input. Every activity calls it first. It fails if the
// object belongs to another pool, if the workflow was started for another bucket, if the hash is not
// that of the URL, or if the URL is not one of HTTP.
func (a *Activities) open(src SealedObject) (storage.Object, error) {
	if src.Service != a.Pool.Service || src.Region != a.Pool.Region {
		return storage.Object{}, fmt.Errorf("%w: the source is for pool %.100q, and the pool of this task queue is %q",
			errWrongPool, src.Pool(), a.Pool.ID())
	}
	if src.Bucket != "" && src.Bucket != a.Space.Bucket() {
		return storage.Object{}, fmt.Errorf("%w: the workflow was started for another bucket of pool %q: another deployment "+
			"uses this Temporal namespace, or the bucket was changed", errWrongPool, a.Pool.ID())
	}
	object, err := a.Sealer.Open(src)
	switch {
	case errors.Is(err, seal.ErrSealed):
		return storage.Object{}, err
	case err != nil:
		return storage.Object{}, fmt.Errorf("%w: %w", errInvalidInput, err)
	}
	u, err := url.Parse(object.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return storage.Object{}, fmt.Errorf("%w: the source's URL is not one of HTTP", errInvalidInput)
	}
	return object, nil
}

// checkDigest returns an error unless the digest of a request is one that an entry can hold.
func checkDigest(digest string) error {
	if !cache.IsDigest(digest) {
		return fmt.Errorf("%w: the digest is not a SHA-256 in lower-case hex", errInvalidInput)
	}
	return nil
}
