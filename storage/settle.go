package storage

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// settleTimeout bounds the look at what became of a call that failed, and the clean-up: both go on after the caller's
// context is over.
const settleTimeout = 10 * time.Second

// errUnsettled marks a failure that may have left an object behind.
var errUnsettled = errors.New("what became of it is not known")

// settle finds out what a call did that was to make an object appear and failed: its reply may have been lost. Only if
// it was done is there an object with this copy's id.
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
	// A server that has no object to replace answers 404.
	if isStatus(failure, http.StatusPreconditionFailed) || hasCode(failure, "PreconditionFailed", "NoSuchKey") {
		failure = fmt.Errorf("%w: %w", ErrConflict, failure)
	}
	return Stored{}, failure
}

// verify compares what the bucket holds with what was sent, and removes it if it differs.
func (b *Bucket) verify(ctx context.Context, spec ObjectSpec, want Stored) (Stored, error) {
	stored, err := b.Head(ctx, spec.Key)
	switch {
	case errors.Is(err, ErrNotFound):
		return Stored{}, err
	case err != nil:
		return Stored{}, fmt.Errorf("%w: %w", errUnsettled, err)
	}
	return b.judge(ctx, spec, want, stored)
}

// judge removes an object that was stored as this copy and is not what was sent.
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

// agree compares an object with what is known of it. A server that shows no checksum has verified it as it came.
func agree(stored, want Stored) bool {
	return stored.Size == want.Size &&
		(want.ETag == "" || stored.ETag == want.ETag) &&
		(want.CRC64NVME == "" || stored.CRC64NVME == "" || stored.CRC64NVME == want.CRC64NVME)
}

func describe(s Stored) string {
	return fmt.Sprintf("%d bytes with CRC64NVME %q and ETag %s", s.Size, s.CRC64NVME, s.ETag)
}
