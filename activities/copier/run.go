package copier

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// run is one try of a copy.
type run struct {
	copier *Copier
	job    *Job
	// spec is the job's spec, with the metadata that this run adds.
	spec storage.ObjectSpec
	// resume is the job's state. It is zero after a restart.
	resume   State
	verifier *origin.Verifier
	result   Result
}

// copyBytes copies in the way that the source supports.
func (r *run) copyBytes(ctx context.Context) error {
	switch {
	case IsSmall(r.job.Meta):
		return r.copySmall(ctx)
	case r.job.Meta.Rangeable():
		err := r.copyRanges(ctx)
		if ignoredRange(err) {
			err = r.restartAsStream(ctx, "the source answered a range request with the whole object")
		}
		return err
	default:
		return r.copyStream(ctx)
	}
}

// User metadata that the copier adds.
const (
	MetadataUnverified = "cloud-mirror-unverified" // Marks a copy that may be truncated
	metadataChecksum   = "cloud-mirror-"           // A prefix of the checksum's name
)

// mark adds an entry to the object's user metadata. It leaves the job's map as it is.
func (r *run) mark(name, value string) {
	r.spec.Metadata = maps.Clone(r.spec.Metadata)
	r.spec.Metadata[name] = value
}

// verify compares the digests. A mismatch is [ErrExpected] unless a digest of the source may be the
// wrong one.
func (r *run) verify() error {
	err := r.verifier.Check()
	if err != nil && len(r.job.Expect) > 0 && (r.result.Way != WayRanges || len(r.job.Meta.Digests) == 0) {
		return fmt.Errorf("%w: %w", ErrExpected, err)
	}
	return err
}

// ignoredRange reports whether the source answered a range request with 200, although it declared
// to serve ranges.
func ignoredRange(err error) bool {
	var source *origin.Error
	return errors.As(err, &source) && source.Class == origin.ClassBadHTTPStatus && source.Status == 200
}
