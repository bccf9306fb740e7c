package storage

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// permission is an action of IAM that copies need on a bucket
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html).
type permission struct{ action, without string }

// permissions returns the permissions that permits can detect.
func permissions() []permission {
	return []permission{
		{"s3:ListBucket", "a HEAD of a missing object answers 403 instead of 404, so every miss looks like an outage"},
		{"s3:PutObject", "no copy can be stored"},
		{"s3:GetObject", "no copy can be read, by clients either"},
		{"s3:ListMultipartUploadParts", "large copies restart after a crash"},
		{"s3:AbortMultipartUpload", "failed uploads stay in the bucket"},
		{"s3:ListBucketMultipartUploads", "sweeps find no unfinished uploads"},
		{"s3:DeleteObject", "purges fail"},
	}
}

// permits makes the calls that copies need, and fails if the server denies one. The error lists the
// missing permissions, each with the effect of its absence. Other failures are left to probe. The
// error of HeadBucket is bucketErr. HeadBucket takes s3:ListBucket.
func (b *Bucket) permits(ctx context.Context, name string, bucketErr error) error {
	missing, answer := b.denied(ctx, probePrefix+rand.Text(), bucketErr)
	var texts []string
	for _, p := range permissions() {
		if slices.Contains(missing, p.action) {
			texts = append(texts, p.action+" ("+p.without+")")
		}
	}
	switch {
	case len(texts) == 0:
		return nil
	case slices.Contains(missing, "s3:PutObject") && slices.Contains(missing, "s3:GetObject") && slices.Contains(missing, "s3:DeleteObject"):
		return fmt.Errorf("%s: denies everything: it belongs to another account, or the credentials lack %s: %w",
			name, strings.Join(missing, ", "), answer)
	}
	return fmt.Errorf("%s: the credentials lack %s: %w", name, strings.Join(texts, ", "), answer)
}

// denied returns the actions that the server denies, and one of its answers. It stores and deletes
// an object and an upload under key.
func (b *Bucket) denied(ctx context.Context, key string, bucketErr error) (actions []string, answer error) {
	note := func(err error, action string) (ok bool) {
		if isStatus(err, http.StatusForbidden) && !slices.Contains(actions, action) {
			actions, answer = append(actions, action), err
		}
		return err == nil
	}
	cleanup, cancel := outlive(ctx)
	defer cancel()
	head := func() error {
		_, err := b.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &b.pool.Bucket, Key: &key})
		return err
	}
	note(bucketErr, "s3:ListBucket")
	absent := head()
	_, err := b.client.PutObject(ctx, &s3.PutObjectInput{Bucket: &b.pool.Bucket, Key: &key, Body: strings.NewReader("probe")})
	if note(err, "s3:PutObject") {
		// The HEAD of a missing object takes both permissions.
		if note(head(), "s3:GetObject") {
			note(absent, "s3:ListBucket")
		}
	} else {
		note(absent, "s3:GetObject")
	}
	if u, err := b.createUpload(ctx, ObjectSpec{Key: key}, false); note(err, "s3:PutObject") {
		_, err := b.client.ListParts(ctx, &s3.ListPartsInput{Bucket: &b.pool.Bucket, Key: &key, UploadId: &u.ID})
		note(err, "s3:ListMultipartUploadParts")
		_, err = b.client.AbortMultipartUpload(cleanup, &s3.AbortMultipartUploadInput{Bucket: &b.pool.Bucket, Key: &key, UploadId: &u.ID})
		note(err, "s3:AbortMultipartUpload")
	}
	_, err = b.client.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: &b.pool.Bucket, Prefix: &key})
	note(err, "s3:ListBucketMultipartUploads")
	_, err = b.client.DeleteObject(cleanup, &s3.DeleteObjectInput{Bucket: &b.pool.Bucket, Key: &key})
	note(err, "s3:DeleteObject")
	return actions, answer
}

// lacks returns err, and the action of IAM that its call takes if the server denied it.
func lacks(err error, action string) error {
	if !isStatus(err, http.StatusForbidden) {
		return err
	}
	return fmt.Errorf("the credentials lack %s: %w", action, err)
}
