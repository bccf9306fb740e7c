package storage

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// The ids of our lifecycle rules. Setup does not change rules with other ids.
const (
	ruleExpire = "cloud-mirror-expire"
	ruleAbort  = "cloud-mirror-abort-incomplete-uploads"
)

// abortAfterDays is the age at which the bucket itself deletes an unfinished upload, in days.
const abortAfterDays = 7

func (b *Bucket) setupLifecycle(ctx context.Context, name string, dryRun bool) ([]string, error) {
	have, err := b.lifecycle(ctx)
	if isNotImplemented(err) {
		return []string{name + ": warning: the server has no lifecycle rules, so copies are kept for ever"}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("lifecycle rules of %s: %w", name, err)
	}
	want := withOurRules(have, b.pool.Lifespan)
	text := name + ": lifecycle rules"
	switch {
	case reflect.DeepEqual(have, want):
		return []string{text + " are as configured"}, nil
	case dryRun:
		return []string{text + ": would set " + describeLifespan(b.pool.Lifespan)}, nil
	}
	var warning []string
	err = b.setRules(ctx, want)
	if hasCode(err, "InvalidArgument", "MalformedXML") {
		// MinIO does not support rules for unfinished uploads.
		want = slices.DeleteFunc(want, func(r types.LifecycleRule) bool { return aws.ToString(r.ID) == ruleAbort })
		if len(want) == len(have) {
			return []string{text + " are as configured, except for unfinished uploads: only the sweep deletes them here"}, nil
		}
		warning = []string{text + ": warning: the server has none for unfinished uploads: only the sweep deletes them"}
		err = b.setRules(ctx, want)
	}
	if isNotImplemented(err) {
		return []string{name + ": warning: the server has no lifecycle rules, so copies are kept for ever"}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("set lifecycle rules of %s: %w", name, err)
	}
	return append([]string{text + ": set " + describeLifespan(b.pool.Lifespan)}, warning...), nil
}

func (b *Bucket) setRules(ctx context.Context, rules []types.LifecycleRule) error {
	if len(rules) == 0 {
		return nil
	}
	_, err := b.client.PutBucketLifecycleConfiguration(ctx, &s3.PutBucketLifecycleConfigurationInput{
		Bucket:                 &b.pool.Bucket,
		LifecycleConfiguration: &types.BucketLifecycleConfiguration{Rules: rules},
		ChecksumAlgorithm:      types.ChecksumAlgorithmCrc32,
	})
	return err
}

func (b *Bucket) lifecycle(ctx context.Context) ([]types.LifecycleRule, error) {
	out, err := b.client.GetBucketLifecycleConfiguration(ctx,
		&s3.GetBucketLifecycleConfigurationInput{Bucket: &b.pool.Bucket})
	if hasCode(err, "NoSuchLifecycleConfiguration") {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return out.Rules, nil
}

// withOurRules returns the bucket's rules, with the rules of our ids replaced by ours.
func withOurRules(have []types.LifecycleRule, lifespan time.Duration) []types.LifecycleRule {
	everything := func() *types.LifecycleRuleFilter { return &types.LifecycleRuleFilter{Prefix: aws.String("")} }
	ours := map[string]*types.LifecycleRule{
		ruleAbort: {
			ID:     aws.String(ruleAbort),
			Status: types.ExpirationStatusEnabled,
			Filter: everything(),
			AbortIncompleteMultipartUpload: &types.AbortIncompleteMultipartUpload{
				DaysAfterInitiation: aws.Int32(abortAfterDays),
			},
		},
	}
	if days := int32(lifespan / (24 * time.Hour)); days > 0 { //nolint:gosec // a Duration has at most 106,751 days
		ours[ruleExpire] = &types.LifecycleRule{
			ID:         aws.String(ruleExpire),
			Status:     types.ExpirationStatusEnabled,
			Filter:     everything(),
			Expiration: &types.LifecycleExpiration{Days: aws.Int32(days)},
		}
	}
	var want []types.LifecycleRule
	for _, rule := range have {
		id := aws.ToString(rule.ID)
		switch our, ok := ours[id]; {
		case ok && sameRule(rule, *our):
			want = append(want, rule)
			delete(ours, id)
		case id != ruleAbort && id != ruleExpire:
			want = append(want, rule)
		}
	}
	for _, id := range []string{ruleExpire, ruleAbort} {
		if our, ok := ours[id]; ok {
			want = append(want, *our)
		}
	}
	return want
}

// sameRule compares the fields that our rules set. Servers return the others in their own forms.
func sameRule(a, b types.LifecycleRule) bool {
	days := func(r types.LifecycleRule) (expire, abort int32) {
		if r.Expiration != nil {
			expire = aws.ToInt32(r.Expiration.Days)
		}
		if r.AbortIncompleteMultipartUpload != nil {
			abort = aws.ToInt32(r.AbortIncompleteMultipartUpload.DaysAfterInitiation)
		}
		return expire, abort
	}
	aExpire, aAbort := days(a)
	bExpire, bAbort := days(b)
	return a.Status == b.Status && aExpire == bExpire && aAbort == bAbort
}

func describeLifespan(lifespan time.Duration) string {
	abort := fmt.Sprintf("(unfinished uploads are deleted after %d days)", abortAfterDays)
	if lifespan <= 0 {
		return "no expiry " + abort
	}
	return fmt.Sprintf("expiry after %d days %s", int(lifespan.Hours()/24), abort)
}

func isNotImplemented(err error) bool {
	return hasCode(err, "NotImplemented", "MethodNotAllowed") || isStatus(err, http.StatusNotImplemented)
}
