package storage

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// settleTimeout bounds the HEAD that settles a failed write, and the clean-up, which outlive the
// caller's context. It is also how long a call that must finish may outlive that context: see
// outlive.
const settleTimeout = 10 * time.Second

// errUnsettled marks a failure that may have left an object behind.
var errUnsettled = errors.New("outcome unknown")

// settle finds out whether a failed call stored its object, since only its reply may have been
// lost. Then, and only then, the object has this copy's id.
func (b *Bucket) settle(ctx context.Context, spec ObjectSpec, want Stored, failure error) (Stored, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	stored, err := b.Head(ctx, spec.Key)
	switch {
	case err == nil && stored.CopyID != "" && stored.CopyID == spec.Metadata[MetadataCopyID]:
		return b.judge(ctx, spec, want, stored)
	case err != nil && !errors.Is(err, ErrNotFound):
		return Stored{}, fmt.Errorf("%w; %w: %w", failure, errUnsettled, err)
	}
	// Without an object to replace, the server answers 404.
	if isStatus(failure, http.StatusPreconditionFailed) || hasCode(failure, "PreconditionFailed", "NoSuchKey") {
		failure = fmt.Errorf("%w: %w", ErrConflict, failure)
	}
	return Stored{}, failure
}

// verify compares the stored object with the sent one, and deletes it if they differ. Like settle,
// it outlives the caller's context: the object exists by then, and the next attempt would trust it.
func (b *Bucket) verify(ctx context.Context, spec ObjectSpec, want Stored) (Stored, error) {
	ctx, cancel := outlive(ctx)
	defer cancel()
	stored, err := b.Head(ctx, spec.Key)
	switch {
	case errors.Is(err, ErrNotFound):
		return Stored{}, err
	case err != nil:
		return Stored{}, fmt.Errorf("%w: %w", errUnsettled, err)
	}
	return b.judge(ctx, spec, want, stored)
}

// judge accepts the stored object if it equals the sent one. Otherwise it deletes the object,
// unless another copy stored it.
func (b *Bucket) judge(ctx context.Context, spec ObjectSpec, want, stored Stored) (Stored, error) {
	switch {
	case stored.CopyID != "" && stored.CopyID != spec.Metadata[MetadataCopyID]:
		return Stored{}, fmt.Errorf("%w: another copy has replaced this one", ErrConflict)
	case agree(stored, want):
		return stored, nil
	}
	err := fmt.Errorf("%w: sent %s, stored %s", ErrMismatch, describe(want), describe(stored))
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	return Stored{}, errors.Join(err, b.Delete(ctx, spec.Key))
}

// agree reports whether the stored object has the expected length and checksum. A server that
// reports no checksum verified the object when it received it.
func agree(stored, want Stored) bool {
	return stored.Size == want.Size &&
		(want.ETag == "" || stored.ETag == want.ETag) &&
		(want.CRC64NVME == "" || stored.CRC64NVME == "" || stored.CRC64NVME == want.CRC64NVME)
}

func describe(s Stored) string {
	return fmt.Sprintf("%d bytes with CRC64NVME %q and ETag %s", s.Size, s.CRC64NVME, s.ETag)
}
