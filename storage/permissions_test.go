package storage_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/storagetest"
)

// copyActions are the actions of IAM that copies need.
func copyActions() []string {
	return []string{
		"s3:ListBucket", "s3:PutObject", "s3:GetObject", "s3:DeleteObject", "s3:AbortMultipartUpload",
		"s3:ListMultipartUploadParts", "s3:ListBucketMultipartUploads",
	}
}

// setupActions are further actions that setup needs on MinIO, which has no CORS rules of buckets.
func setupActions() []string {
	return []string{"s3:GetLifecycleConfiguration", "s3:PutLifecycleConfiguration"}
}

// as returns the bucket with credentials of MinIO that are allowed these actions and no others.
func (f *faultyBucket) as(t *testing.T, actions []string) *storage.Bucket {
	t.Helper()
	policy, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{
		"Effect": "Allow", "Action": actions, "Resource": []string{"arn:aws:s3:::" + f.pool.Bucket, "arn:aws:s3:::" + f.pool.Bucket + "/*"},
	}}})
	require.NoError(t, err)
	out, err := sts.NewFromConfig(f.cfg, func(o *sts.Options) {
		o.Region, o.BaseEndpoint = f.pool.Region, &f.pool.Endpoint
	}).AssumeRole(t.Context(), &sts.AssumeRoleInput{
		RoleArn: aws.String("arn:aws:iam::123456789012:role/unused"), RoleSessionName: aws.String("test"), Policy: aws.String(string(policy)),
	})
	require.NoError(t, err)
	cfg := f.cfg
	cfg.Credentials = credentials.NewStaticCredentialsProvider(
		*out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey, *out.Credentials.SessionToken)
	pool := f.pool
	pool.Lifespan = 7 * day
	return storage.Open(cfg, pool)
}

// named returns the actions that an error names.
func named(err error) []string {
	if err == nil {
		return nil
	}
	return regexp.MustCompile(`s3:[A-Za-z]+`).FindAllString(err.Error(), -1)
}

// MinIO denies HeadBucket without s3:ListBucket. Unlike S3, it answers 404 to the HEAD of a missing
// object: see the next test.
func TestSetupNamesMissingPermissions(t *testing.T) {
	s := servers(t)[1]
	s.Bucket = fmt.Sprintf("permissions-%d", time.Now().UnixNano())
	all := slices.Concat(copyActions(), setupActions(), []string{"s3:GetBucketCors"}) // in the case of MinIO
	f := newFaultyBucket(t, s, nil)
	_, err := f.as(t, all).Setup(t.Context(), false)
	require.NoError(t, err, "all permissions are there")
	f.requireNoProbe(t)

	for _, lacking := range copyActions() {
		t.Run(lacking, func(t *testing.T) {
			b := f.as(t, slices.DeleteFunc(slices.Clone(all), func(a string) bool { return a == lacking }))
			_, err := b.Setup(t.Context(), false)
			require.ErrorContains(t, err, "bucket "+f.pool.Bucket+": the credentials lack "+lacking+" (")
			require.Equal(t, []string{lacking}, named(err))
			switch lacking {
			case "s3:ListBucket":
				require.ErrorContains(t, err, "a HEAD of a missing object answers 403 instead of 404, so every miss looks like an outage")
			case "s3:DeleteObject":
				left, err := f.directClient.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &f.pool.Bucket})
				require.NoError(t, err)
				require.Len(t, left.Contents, 1)
				require.NoError(t, f.directBucket.Delete(t.Context(), *left.Contents[0].Key))
			case "s3:AbortMultipartUpload":
				left, err := f.directBucket.ListUploads(t.Context(), "")
				require.NoError(t, err)
				require.Len(t, left, 1)
				require.NoError(t, f.directBucket.AbortUpload(t.Context(), left[0]))
			}
			f.requireNoProbe(t)
		})
	}
	for _, lacking := range setupActions() {
		t.Run(lacking, func(t *testing.T) {
			f.setLifecycleRules(t, theirs())
			_, err := f.as(t, slices.DeleteFunc(slices.Clone(all), func(a string) bool { return a == lacking })).Setup(t.Context(), false)
			require.ErrorContains(t, err, "the credentials lack "+lacking)
			require.Equal(t, []string{lacking}, named(err))
		})
	}
	t.Run("all", func(t *testing.T) {
		_, err := f.as(t, []string{"s3:ListAllMyBuckets"}).Setup(t.Context(), false)
		require.ErrorContains(t, err, "denies everything: it belongs to another account, or the credentials lack ")
		_, err = f.as(t, []string{"s3:ListAllMyBuckets"}).Setup(t.Context(), true)
		require.ErrorContains(t, err, "the credentials lack s3:ListBucket, or the bucket belongs to another account")
	})
}

// Without s3:ListBucket, S3 answers 403 to the HEAD of a missing object.
func TestSetupDetectsDeniedMisses(t *testing.T) {
	f := newFaultyBucket(t, servers(t)[0], nil)
	denied := 0
	f.Response = func(r *http.Response) error {
		if storagetest.Call(r.Request) == storagetest.CallHead && r.StatusCode == http.StatusNotFound {
			r.StatusCode = http.StatusForbidden
			denied++
		}
		return nil
	}
	_, err := f.Setup(t.Context(), false)
	require.Equal(t, []string{"s3:ListBucket"}, named(err), "%v", err)
	require.Positive(t, denied)
	f.requireNoProbe(t)
	_, err = f.Head(t.Context(), "host/hash/missing")
	require.NotErrorIs(t, err, storage.ErrNotFound)
	require.ErrorContains(t, err, "the credentials lack s3:GetObject or s3:ListBucket: ")
	f.Response = nil
	_, err = f.Head(t.Context(), "host/hash/missing")
	require.ErrorIs(t, err, storage.ErrNotFound)
	_, err = f.Setup(t.Context(), false)
	require.NoError(t, err)
}
