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

// lifecycle is a bucket's lifecycle configuration.
type lifecycle struct {
	rules []types.LifecycleRule
	// minimum is the size below which S3 moves no object to another storage class. A Put without it
	// resets it.
	minimum types.TransitionDefaultMinimumObjectSize
}

func (b *Bucket) setupLifecycle(ctx context.Context, name string, dryRun bool) ([]string, error) {
	have, err := b.lifecycle(ctx)
	if isNotImplemented(err) {
		return []string{warnNoLifecycle(name)}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("lifecycle rules of %s: %w", name, lacks(err, "s3:GetLifecycleConfiguration"))
	}
	want := lifecycle{withOurRules(have.rules, b.pool.Lifespan), have.minimum}
	text := name + ": lifecycle rules"
	same := text + " are as configured"
	expiry := describeLifespan(b.pool.Lifespan)
	abort := fmt.Sprintf("unfinished uploads deleted after %d days", abortAfterDays)
	if reflect.DeepEqual(have, want) {
		return []string{same}, nil
	}
	// MinIO does not support rules for unfinished uploads.
	without := lifecycle{slices.DeleteFunc(slices.Clone(want.rules), aborts), have.minimum}
	asConfigured := slices.EqualFunc(have.rules, without.rules, equalRules)
	switch {
	case dryRun && asConfigured:
		return []string{text + ": would have " + abort + ", unless the server has no such rules"}, nil
	case dryRun:
		return []string{text + ": would set " + expiry + " (" + abort + ")"}, nil
	}
	lines := []string{text + ": set " + expiry + " (" + abort + ")"}
	err = b.setRules(ctx, want)
	if hasCode(err, "InvalidArgument", "MalformedXML") {
		if asConfigured {
			return []string{same + ", except for unfinished uploads: only the sweep deletes them here"}, nil
		}
		lines = []string{
			text + ": set " + expiry,
			text + ": warning: the server has none for unfinished uploads: only the sweep deletes them",
		}
		err = b.setRules(ctx, without)
	}
	if isNotImplemented(err) {
		return []string{warnNoLifecycle(name)}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("set lifecycle rules of %s: %w", name, lacks(err, "s3:PutLifecycleConfiguration"))
	}
	return lines, nil
}

func warnNoLifecycle(name string) string {
	return name + ": warning: the server has no lifecycle rules, so copies are kept for ever"
}

func aborts(r types.LifecycleRule) bool { return aws.ToString(r.ID) == ruleAbort }

func equalRules(a, b types.LifecycleRule) bool { return reflect.DeepEqual(a, b) }

// setRules replaces all rules. S3 refuses an empty configuration, so without rules it deletes the
// configuration.
func (b *Bucket) setRules(ctx context.Context, l lifecycle) error {
	if len(l.rules) == 0 {
		_, err := b.client.DeleteBucketLifecycle(ctx, &s3.DeleteBucketLifecycleInput{Bucket: &b.pool.Bucket})
		return err
	}
	_, err := b.client.PutBucketLifecycleConfiguration(ctx, &s3.PutBucketLifecycleConfigurationInput{
		Bucket:                 &b.pool.Bucket,
		LifecycleConfiguration: &types.BucketLifecycleConfiguration{Rules: l.rules},
		ChecksumAlgorithm:      types.ChecksumAlgorithmCrc32,

		TransitionDefaultMinimumObjectSize: l.minimum,
	})
	return err
}

func (b *Bucket) lifecycle(ctx context.Context) (lifecycle, error) {
	out, err := b.client.GetBucketLifecycleConfiguration(ctx,
		&s3.GetBucketLifecycleConfigurationInput{Bucket: &b.pool.Bucket})
	if hasCode(err, "NoSuchLifecycleConfiguration") {
		return lifecycle{}, nil
	}
	if err != nil {
		return lifecycle{}, err
	}
	return lifecycle{out.Rules, out.TransitionDefaultMinimumObjectSize}, nil
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

// sameRule reports whether the bucket's rule has exactly the effect of ours. Servers return a rule
// in their own form.
func sameRule(have, our types.LifecycleRule) bool {
	prefix := have.Prefix //nolint:staticcheck // Older rules have the deprecated form.
	if f := have.Filter; aws.ToString(prefix) != "" || f != nil && (f.And != nil || f.Tag != nil ||
		f.ObjectSizeGreaterThan != nil || f.ObjectSizeLessThan != nil || aws.ToString(f.Prefix) != "") {
		return false // The rule is for some objects only.
	}
	have.Filter, have.Prefix = our.Filter, nil //nolint:staticcheck // as above
	if e := have.Expiration; e != nil && !aws.ToBool(e.ExpiredObjectDeleteMarker) {
		have.Expiration = nilIfZero(types.LifecycleExpiration{Days: e.Days, Date: e.Date})
	}
	if have.AbortIncompleteMultipartUpload != nil {
		have.AbortIncompleteMultipartUpload = nilIfZero(*have.AbortIncompleteMultipartUpload)
	}
	if have.NoncurrentVersionExpiration != nil {
		have.NoncurrentVersionExpiration = nilIfZero(*have.NoncurrentVersionExpiration)
	}
	if len(have.Transitions)+len(have.NoncurrentVersionTransitions) == 0 {
		have.Transitions, have.NoncurrentVersionTransitions = nil, nil
	}
	return equalRules(have, our)
}

// nilIfZero returns nil for the zero value, which some servers send instead of nothing.
func nilIfZero[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

func describeLifespan(lifespan time.Duration) string {
	if lifespan <= 0 {
		return "no expiry"
	}
	return fmt.Sprintf("expiry after %d days", int(lifespan.Hours()/24))
}

func isNotImplemented(err error) bool {
	return hasCode(err, "NotImplemented", "MethodNotAllowed") || isStatus(err, http.StatusNotImplemented)
}
