package storage_test

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/storage"
)

const day = 24 * time.Hour

// lifecycleRules returns the bucket's rules by their ids.
func (f *faultyBucket) lifecycleRules(t *testing.T) map[string]types.LifecycleRule {
	t.Helper()
	out, err := client(f.cfg, f.pool).GetBucketLifecycleConfiguration(t.Context(),
		&s3.GetBucketLifecycleConfigurationInput{Bucket: &f.pool.Bucket})
	if err != nil {
		require.ErrorContains(t, err, "NoSuchLifecycleConfiguration")
		return nil
	}
	rules := map[string]types.LifecycleRule{}
	for _, rule := range out.Rules {
		rules[*rule.ID] = rule
	}
	require.Len(t, rules, len(out.Rules), "two rules have one id")
	return rules
}

func (f *faultyBucket) setLifecycleRules(t *testing.T, rules ...types.LifecycleRule) {
	t.Helper()
	_, err := client(f.cfg, f.pool).PutBucketLifecycleConfiguration(t.Context(), &s3.PutBucketLifecycleConfigurationInput{
		Bucket: &f.pool.Bucket, LifecycleConfiguration: &types.BucketLifecycleConfiguration{Rules: rules},
	})
	require.NoError(t, err)
}

// setLifespan sets up the bucket with the lifespan, and returns the lines about lifecycle rules.
func (f *faultyBucket) setLifespan(t *testing.T, days int, dryRun bool) (lines []string) {
	t.Helper()
	pool := f.pool
	pool.Lifespan = time.Duration(days) * day
	all, err := storage.Open(f.cfg, pool).Setup(t.Context(), dryRun)
	require.NoError(t, err)
	for _, line := range all {
		if strings.Contains(line, "lifecycle rules") {
			lines = append(lines, strings.TrimPrefix(line, "bucket "+pool.Bucket+": lifecycle rules"))
		}
	}
	return lines
}

// lifecycleOfS3 has the proxy keep lifecycle rules as S3 does, and counts the changes.
type lifecycleOfS3 struct {
	mu      sync.Mutex
	rules   string
	minimum string
	changes int
	// noAborts has the server refuse rules for unfinished uploads, as MinIO does.
	noAborts bool
}

func (l *lifecycleOfS3) reply(w http.ResponseWriter, r *http.Request) bool {
	const header = "X-Amz-Transition-Default-Minimum-Object-Size"
	if !r.URL.Query().Has("lifecycle") {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch r.Method {
	case http.MethodPut:
		body, _ := io.ReadAll(r.Body)
		if !strings.Contains(string(body), "<Rule>") {
			refuse(w, http.StatusBadRequest, "MalformedXML")
			return true
		}
		if l.noAborts && strings.Contains(string(body), "<AbortIncompleteMultipartUpload>") {
			refuse(w, http.StatusBadRequest, "InvalidArgument")
			return true
		}
		l.rules, l.minimum, l.changes = string(body), r.Header.Get(header), l.changes+1
	case http.MethodDelete:
		l.rules, l.minimum, l.changes = "", "", l.changes+1
		w.WriteHeader(http.StatusNoContent)
	default:
		if l.rules == "" {
			refuse(w, http.StatusNotFound, "NoSuchLifecycleConfiguration")
			return true
		}
		w.Header().Set(header, l.minimum)
		_, _ = io.WriteString(w, l.rules)
	}
	return true
}

// lifecycleBuckets returns a bucket on MinIO, which has no rules for unfinished uploads, and a
// bucket with all rules of S3.
func lifecycleBuckets(t *testing.T) (minio, double *faultyBucket, rules *lifecycleOfS3) {
	t.Helper()
	unique := time.Now().Format("150405.000000")
	all := servers(t)
	for i := range all {
		all[i].Bucket = "lifecycle-" + strings.ReplaceAll(unique, ".", "-")
	}
	minio, double, rules = newFaultyBucket(t, all[1], nil), newFaultyBucket(t, all[0], nil), &lifecycleOfS3{}
	double.Reply = rules.reply
	return minio, double, rules
}

// theirs is a rule of another application. Its fields are those that both servers return unchanged.
func theirs() types.LifecycleRule {
	return types.LifecycleRule{
		ID: aws.String("theirs"), Status: types.ExpirationStatusEnabled,
		Filter:     &types.LifecycleRuleFilter{Prefix: aws.String("logs/")},
		Expiration: &types.LifecycleExpiration{Days: aws.Int32(3)},
	}
}

func TestSetupChangesLifespan(t *testing.T) {
	const (
		expire, abort = "cloud-mirror-expire", "cloud-mirror-abort-incomplete-uploads"
		unsupported   = ": warning: the server has none for unfinished uploads: only the sweep deletes them"
		same          = " are as configured"
		except        = same + ", except for unfinished uploads: only the sweep deletes them here"
		wouldAbort    = ": would have unfinished uploads deleted after 7 days, unless the server has no such rules"
	)
	onMinIO, onDouble, _ := lifecycleBuckets(t)
	for name, f := range map[string]*faultyBucket{"minio": onMinIO, "double": onDouble} {
		t.Run(name, func(t *testing.T) {
			for _, foreign := range []bool{false, true} {
				if foreign {
					f.setLifecycleRules(t, theirs())
				}
				for _, days := range []int{7, 1, 0, 7, 0} {
					before := f.lifecycleRules(t)
					lines := f.setLifespan(t, days, true)
					require.Equal(t, before, f.lifecycleRules(t), "a dry run changed the rules")
					require.Contains(t, lines[0], ": would ", "%d days", days)
					lines = f.setLifespan(t, days, false)
					require.NotContains(t, lines[0], same, "%d days", days)

					rules := f.lifecycleRules(t)
					require.Equal(t, foreign, rules["theirs"].ID != nil)
					if foreign {
						require.Equal(t, theirs(), rules["theirs"])
					}
					if days > 0 {
						require.EqualValues(t, days, *rules[expire].Expiration.Days)
						require.Contains(t, lines[0], "expiry after")
					} else {
						require.NotContains(t, rules, expire)
					}
					if name == "double" {
						require.EqualValues(t, 7, *rules[abort].AbortIncompleteMultipartUpload.DaysAfterInitiation)
						require.Equal(t, []string{same}, f.setLifespan(t, days, false))
						require.Equal(t, []string{same}, f.setLifespan(t, days, true))
					} else {
						require.Contains(t, lines, unsupported)
						require.Equal(t, []string{except}, f.setLifespan(t, days, false))
						require.Equal(t, []string{wouldAbort}, f.setLifespan(t, days, true))
					}
					require.Equal(t, rules, f.lifecycleRules(t), "the second run changed the rules")
				}
			}
		})
	}
}

// A rule with our id must be ours, also after a person has changed it.
func TestSetupMendsLifecycleRules(t *testing.T) {
	_, f, double := lifecycleBuckets(t)
	f.setLifespan(t, 7, false)
	ours := f.lifecycleRules(t)
	for name, change := range map[string]func(*types.LifecycleRule){
		"disabled": func(r *types.LifecycleRule) { r.Status = types.ExpirationStatusDisabled },
		"for some objects": func(r *types.LifecycleRule) {
			r.Filter = &types.LifecycleRuleFilter{Prefix: aws.String("logs/")}
		},
		"for small objects": func(r *types.LifecycleRule) {
			r.Filter = &types.LifecycleRuleFilter{ObjectSizeLessThan: aws.Int64(1 << 20)}
		},
		"for objects with a tag": func(r *types.LifecycleRule) {
			r.Filter = &types.LifecycleRuleFilter{Tag: &types.Tag{Key: aws.String("a"), Value: aws.String("b")}}
		},
		"that archives objects": func(r *types.LifecycleRule) {
			r.Transitions = []types.Transition{{Days: aws.Int32(1), StorageClass: types.TransitionStorageClassGlacier}}
		},
		"that deletes old versions too": func(r *types.LifecycleRule) {
			r.NoncurrentVersionExpiration = &types.NoncurrentVersionExpiration{NoncurrentDays: aws.Int32(1)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			for id, rule := range ours {
				change(&rule)
				other := ours
				f.setLifecycleRules(t, append([]types.LifecycleRule{theirs(), rule}, without(other, id)...)...)
				changes := double.changes
				require.Contains(t, f.setLifespan(t, 7, true)[0], "would set")
				require.Equal(t, changes, double.changes, "a dry run")
				require.Contains(t, f.setLifespan(t, 7, false)[0], ": set ")
				require.Equal(t, changes+1, double.changes)
				rules := f.lifecycleRules(t)
				require.Equal(t, theirs(), rules["theirs"])
				delete(rules, "theirs")
				require.Equal(t, ours, rules)
			}
		})
	}
}

func without(rules map[string]types.LifecycleRule, id string) (rest []types.LifecycleRule) {
	for other, rule := range rules {
		if other != id {
			rest = append(rest, rule)
		}
	}
	return rest
}

// The size below which S3 moves no objects belongs to the whole configuration. A Put without it
// resets it.
func TestSetupKeepsTheMinimumSizeOfTransitions(t *testing.T) {
	_, f, double := lifecycleBuckets(t)
	f.setLifecycleRules(t, theirs())
	double.minimum = "varies_by_storage_class"
	f.setLifespan(t, 7, false)
	require.Len(t, f.lifecycleRules(t), 3)
	require.Equal(t, "varies_by_storage_class", double.minimum)
}
