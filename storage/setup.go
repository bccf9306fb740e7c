package storage

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// Setup creates the bucket if it is missing, and sets its lifecycle rules and its CORS rule unless
// they are as configured. Then it makes the calls that copies need, and probes whether the server
// supports the pool's settings. If the server denies a call, the error lists the missing
// permissions of IAM. Setup returns lines for a person that report its changes. With dryRun it
// changes nothing, and the lines report the changes that it would make.
//
// A server without lifecycle rules or CORS rules gets a warning and no error. Without lifecycle
// rules it keeps copies for ever. If the probe fails, the error names the settings that work, if
// there are any.
func (b *Bucket) Setup(ctx context.Context, dryRun bool) ([]string, error) {
	name := "bucket " + b.pool.Bucket
	_, bucketErr := b.client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &b.pool.Bucket})
	said := name + ": exists"
	if err := b.isOwned(ctx, name, bucketErr); err != nil {
		return nil, err
	}
	denied := isStatus(bucketErr, http.StatusForbidden)
	switch {
	case bucketErr == nil, denied && !dryRun:
	case denied:
		return nil, fmt.Errorf("%s: %w", name, lacks(bucketErr, "s3:ListBucket, or the bucket belongs to another account"))
	case !isStatus(bucketErr, http.StatusNotFound):
		return nil, fmt.Errorf("%s: %w", name, bucketErr)
	case dryRun:
		lines := []string{name + ": would create it in " + b.pool.Region, name + ": would set lifecycle rules"}
		if b.pool.CORS {
			lines = append(lines, name+": would set CORS rules")
		}
		return append(lines, b.wouldProbe(name)), nil
	default:
		if err := b.create(ctx); err != nil {
			return nil, fmt.Errorf("create %s: %w", name, err)
		}
		said = name + ": created in " + b.pool.Region
		_, bucketErr = b.client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &b.pool.Bucket})
		if err := b.isOwned(ctx, name, bucketErr); err != nil {
			return []string{said}, err
		}
	}
	rules, err := b.setupLifecycle(ctx, name, dryRun)
	lines := append([]string{said}, rules...)
	rules, corsErr := b.setupCORS(ctx, name, dryRun)
	lines, err = append(lines, rules...), errors.Join(err, corsErr)
	if dryRun {
		return append(lines, b.wouldProbe(name)), err
	}
	if lacking := b.permits(ctx, name, bucketErr); lacking != nil {
		return lines, errors.Join(err, lacking)
	}
	works, failed := b.probe(ctx, name)
	return append(lines, works...), errors.Join(err, failed)
}

func (b *Bucket) create(ctx context.Context) error {
	in := &s3.CreateBucketInput{Bucket: &b.pool.Bucket}
	// AWS refuses the location constraint us-east-1, which is the default.
	if b.pool.Region != "us-east-1" {
		in.CreateBucketConfiguration = &types.CreateBucketConfiguration{
			LocationConstraint: types.BucketLocationConstraint(b.pool.Region),
		}
	}
	_, err := b.client.CreateBucket(ctx, in)
	if _, ok := errors.AsType[*types.BucketAlreadyOwnedByYou](err); ok {
		return nil // another setup created it first
	}
	return err
}
