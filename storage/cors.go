package storage

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// ruleCORS is the id of our CORS rule. Setup does not change other rules.
const ruleCORS = "cloud-mirror-read"

// maxCORSRules is the limit of S3
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/ManageCorsUsing.html).
const maxCORSRules = 100

// corsMaxAge is how long a browser keeps the answer to a preflight, in seconds. It is Chromium's
// upper limit
// (https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Access-Control-Max-Age).
const corsMaxAge = 7200

// corsRule returns our CORS rule.
func corsRule() types.CORSRule {
	return types.CORSRule{
		ID:             aws.String(ruleCORS),
		AllowedMethods: []string{http.MethodGet, http.MethodHead},
		// A list of origins would be of no use: a browser sends `Origin: null` after a redirect to
		// another origin (https://fetch.spec.whatwg.org/#serializing-a-request-origin).
		AllowedOrigins: []string{"*"},
		AllowedHeaders: []string{"*"},
		// Scripts can always read Cache-Control, Content-Language, Content-Type, Expires and
		// Last-Modified.
		ExposeHeaders: []string{
			"Accept-Ranges", "Content-Disposition", "Content-Encoding", "Content-Length", "Content-Range", "ETag",
		},
		MaxAgeSeconds: aws.Int32(corsMaxAge),
	}
}

func (b *Bucket) setupCORS(ctx context.Context, name string, dryRun bool) ([]string, error) {
	text := name + ": CORS rules"
	same := []string{text + " are as configured"}
	have, err := b.corsRules(ctx)
	if isNotImplemented(err) && !b.pool.CORS {
		return same, nil
	}
	if isNotImplemented(err) {
		return []string{warnNoCORS(name)}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("CORS rules of %s: %w", name, lacks(err, "s3:GetBucketCORS"))
	}
	want := withOurCORSRule(have, b.pool.CORS)
	var warnings []string
	for _, rule := range hidingCORSRules(want) {
		warnings = append(warnings, fmt.Sprintf(
			"%s: warning: the CORS rule %s comes first and hides headers of copies from scripts", name, rule))
	}
	switch {
	case slices.EqualFunc(have, want, equalCORSRules):
		return append(same, warnings...), nil
	case b.pool.CORS && len(want) > maxCORSRules:
		return nil, fmt.Errorf("CORS rules of %s: S3 keeps at most %d: remove one, or set s3.cors to false", name, maxCORSRules)
	case dryRun && b.pool.CORS:
		return append([]string{text + ": would set " + describeCORS}, warnings...), nil
	case dryRun:
		return []string{text + ": would remove " + ruleCORS}, nil
	}
	err = b.setCORSRules(ctx, want)
	switch {
	case isNotImplemented(err):
		return []string{warnNoCORS(name)}, nil
	case err != nil:
		return nil, fmt.Errorf("set CORS rules of %s: %w", name, lacks(err, "s3:PutBucketCORS"))
	case b.pool.CORS:
		return append([]string{text + ": set " + describeCORS}, warnings...), nil
	}
	return []string{text + ": removed " + ruleCORS}, nil
}

// describeCORS describes our CORS rule to a person.
const describeCORS = "GET and HEAD for scripts of every site"

func warnNoCORS(name string) string {
	return name + ": warning: the server has no CORS rules: its own settings decide whether scripts can read copies"
}

func (b *Bucket) corsRules(ctx context.Context) ([]types.CORSRule, error) {
	out, err := b.client.GetBucketCors(ctx, &s3.GetBucketCorsInput{Bucket: &b.pool.Bucket})
	if hasCode(err, "NoSuchCORSConfiguration") {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return out.CORSRules, nil
}

// setCORSRules replaces all rules. S3 refuses an empty configuration, so without rules it deletes
// the configuration.
func (b *Bucket) setCORSRules(ctx context.Context, rules []types.CORSRule) error {
	if len(rules) == 0 {
		_, err := b.client.DeleteBucketCors(ctx, &s3.DeleteBucketCorsInput{Bucket: &b.pool.Bucket})
		return err
	}
	_, err := b.client.PutBucketCors(ctx, &s3.PutBucketCorsInput{
		Bucket:            &b.pool.Bucket,
		CORSConfiguration: &types.CORSConfiguration{CORSRules: rules},
		ChecksumAlgorithm: types.ChecksumAlgorithmCrc32,
	})
	return err
}

// withOurCORSRule returns the bucket's rules, with our rule if it is wanted. A new rule comes last:
// S3 applies the first rule that matches, so foreign rules keep their effect.
func withOurCORSRule(have []types.CORSRule, wanted bool) []types.CORSRule {
	our := corsRule()
	var want []types.CORSRule
	for _, rule := range have {
		switch {
		case aws.ToString(rule.ID) != ruleCORS:
			want = append(want, rule)
		case wanted && sameCORSRule(rule, our):
			want = append(want, rule)
			wanted = false
		}
	}
	if wanted {
		want = append(want, our)
	}
	return want
}

// sameCORSRule compares the effects of two rules. Servers may return lists in another order.
func sameCORSRule(a, b types.CORSRule) bool {
	sorted := func(list []string) []string { return slices.Sorted(slices.Values(list)) }
	return slices.Equal(sorted(a.AllowedMethods), sorted(b.AllowedMethods)) &&
		slices.Equal(sorted(a.AllowedOrigins), sorted(b.AllowedOrigins)) &&
		slices.Equal(sorted(a.AllowedHeaders), sorted(b.AllowedHeaders)) &&
		slices.Equal(sorted(a.ExposeHeaders), sorted(b.ExposeHeaders)) &&
		aws.ToInt32(a.MaxAgeSeconds) == aws.ToInt32(b.MaxAgeSeconds)
}

func equalCORSRules(a, b types.CORSRule) bool { return reflect.DeepEqual(a, b) }

// hidingCORSRules names the foreign rules that S3 applies to copies in place of ours, and that expose
// fewer headers. There are none without our rule.
func hidingCORSRules(rules []types.CORSRule) (names []string) {
	our := corsRule()
	for i, rule := range rules {
		if aws.ToString(rule.ID) == ruleCORS {
			return names
		}
		reads := slices.ContainsFunc(our.AllowedMethods, func(m string) bool { return slices.Contains(rule.AllowedMethods, m) })
		if !reads || !slices.ContainsFunc(rule.AllowedOrigins, matchesNull) || exposesAll(rule, our.ExposeHeaders) {
			continue
		}
		if rule.ID == nil {
			names = append(names, "number "+strconv.Itoa(i+1))
		} else {
			names = append(names, strconv.Quote(*rule.ID))
		}
	}
	return nil // our rule is not wanted
}

// matchesNull reports whether an allowed origin matches the Origin that follows a redirect. A
// pattern has at most one *.
func matchesNull(allowed string) bool {
	const origin = "null"
	before, after, pattern := strings.Cut(allowed, "*")
	if !pattern {
		return allowed == origin
	}
	return len(before)+len(after) <= len(origin) && strings.HasPrefix(origin, before) && strings.HasSuffix(origin, after)
}

func exposesAll(rule types.CORSRule, headers []string) bool {
	for _, header := range headers {
		if !slices.ContainsFunc(rule.ExposeHeaders, func(h string) bool { return strings.EqualFold(h, header) }) {
			return false
		}
	}
	return true
}
