package storage

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// Setup makes the bucket and its lifecycle rules if they are not there as configured, tries out what the pool says of the
// server, and says what it did in lines for a person. With dryRun it changes nothing and says what it would do. A server
// that has no lifecycle rules is worth a warning, not an error: copies are then kept for ever.
func (b *Bucket) Setup(ctx context.Context, dryRun bool) ([]string, error) {
	name := "bucket " + b.pool.Bucket
	_, err := b.client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &b.pool.Bucket})
	said := name + ": is there"
	switch {
	case err == nil:
	case !isStatus(err, http.StatusNotFound):
		return nil, fmt.Errorf("%s: %w", name, err)
	case dryRun:
		return []string{
			name + ": would create it in " + b.pool.Region, name + ": would set lifecycle rules", b.wouldProbe(name),
		}, nil
	default:
		if err := b.create(ctx); err != nil {
			return nil, fmt.Errorf("create %s: %w", name, err)
		}
		said = name + ": created in " + b.pool.Region
	}
	rules, err := b.setupLifecycle(ctx, name, dryRun)
	lines := append([]string{said}, rules...)
	if dryRun {
		return append(lines, b.wouldProbe(name)), err
	}
	works, failed := b.probe(ctx, name)
	return append(lines, works...), errors.Join(err, failed)
}

func (b *Bucket) create(ctx context.Context) error {
	in := &s3.CreateBucketInput{Bucket: &b.pool.Bucket}
	// AWS refuses the location constraint us-east-1: it is what no constraint means.
	if b.pool.Region != "us-east-1" {
		in.CreateBucketConfiguration = &types.CreateBucketConfiguration{
			LocationConstraint: types.BucketLocationConstraint(b.pool.Region),
		}
	}
	_, err := b.client.CreateBucket(ctx, in)
	if _, ok := errors.AsType[*types.BucketAlreadyOwnedByYou](err); ok {
		return nil // another setup was faster
	}
	return err
}
