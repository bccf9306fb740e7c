package storage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"
)

// ownerField is the field of a request that names the account that must own its bucket
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html).
const ownerField = "ExpectedBucketOwner"

// expectOwners has each request that names a bucket of [Pool.Owners] name the bucket's owner too.
// S3 answers 403 if another account owns the bucket.
func (p Pool) expectOwners(stack *middleware.Stack) error {
	return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("ExpectBucketOwner", func(
		ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
	) (middleware.InitializeOutput, middleware.Metadata, error) {
		if v := reflect.Indirect(reflect.ValueOf(in.Parameters)); v.Kind() == reflect.Struct {
			owner, bucket := v.FieldByName(ownerField), v.FieldByName("Bucket")
			if name, ok := pointer(bucket); ok && owner.IsValid() {
				owner.Set(reflect.ValueOf(p.owner(name)))
			}
		}
		return next.HandleInitialize(ctx, in)
	}), middleware.Before)
}

// pointer returns the string that a field points to.
func pointer(field reflect.Value) (string, bool) {
	if !field.IsValid() {
		return "", false
	}
	s, ok := reflect.TypeAssert[*string](field)
	return aws.ToString(s), ok
}

// owner returns the account that must own the bucket, or nil if any may.
func (p Pool) owner(bucket string) *string { return optional(p.Owners[bucket]) }

// isOwned fails if another account than the configured one owns the bucket. It sends a request
// only if the server denies the bucket, as bucketErr shows.
func (b *Bucket) isOwned(ctx context.Context, name string, bucketErr error) error {
	owner := b.pool.owner(b.pool.Bucket)
	if owner == nil || !isStatus(bucketErr, http.StatusForbidden) {
		return nil
	}
	if _, err := b.anyOwner.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &b.pool.Bucket}); err != nil {
		return nil //nolint:nilerr // The bucket is denied for another reason.
	}
	return fmt.Errorf("%s: another account than bucket_owner, %s, owns it: %w", name, *owner, bucketErr)
}

// deniedError is a 403 with its possible reasons.
type deniedError struct {
	reasons string
	err     error
}

func (e *deniedError) Error() string { return e.reasons + ": " + e.err.Error() }
func (e *deniedError) Unwrap() error { return e.err }

// explain adds to a 403 its possible reasons: another owner, or a missing permission. The argument
// permission may be empty.
func (b *Bucket) explain(err error, permission string) error {
	owner := b.pool.owner(b.pool.Bucket)
	if _, explained := errors.AsType[*deniedError](err); explained || !isStatus(err, http.StatusForbidden) ||
		owner == nil && permission == "" {
		return err
	}
	reasons := "the credentials lack " + cmp.Or(permission, "a permission")
	if owner != nil {
		reasons = "another account than bucket_owner, " + *owner + ", owns the bucket, or " + reasons
	}
	return &deniedError{reasons, err}
}
