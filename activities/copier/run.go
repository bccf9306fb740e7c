package copier

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// run is one copy under way.
type run struct {
	copier *Copier
	job    *Job
	// spec is the job's, and what comes to its metadata.
	spec storage.ObjectSpec
	// resume is the job's; it is zero once the copy has begun anew.
	resume   State
	verifier *origin.Verifier
	result   Result
}

// copyBytes copies in the way that the source allows.
func (r *run) copyBytes(ctx context.Context) error {
	switch {
	case IsSmall(r.job.Meta):
		return r.copySmall(ctx)
	case r.job.Meta.Rangeable():
		err := r.copyRanges(ctx)
		if ignoredRange(err) {
			err = r.restartAsStream(ctx, "the source answered a range with all of the object")
		}
		return err
	default:
		return r.copyStream(ctx)
	}
}

// User metadata that is known only here.
const (
	MetadataUnverified = "cloud-mirror-unverified" // marks a copy of which nobody can tell whether it is whole
	metadataChecksum   = "cloud-mirror-"           // and the checksum's name
)

// mark adds to the object's user metadata.
func (r *run) mark(name, value string) {
	r.spec.Metadata = maps.Clone(r.spec.Metadata)
	r.spec.Metadata[name] = value
}

// verify compares the digests. Where the source's own are not among them, it is the request that is not met.
func (r *run) verify() error {
	err := r.verifier.Check()
	if err != nil && len(r.job.Expect) > 0 && (r.result.Way != WayRanges || len(r.job.Meta.Digests) == 0) {
		return fmt.Errorf("%w: %w", ErrExpected, err)
	}
	return err
}

// ignoredRange tells a source that does not do what it said.
func ignoredRange(err error) bool {
	var source *origin.Error
	return errors.As(err, &source) && source.Class == origin.ClassBadHTTPStatus && source.Status == 200
}
