package operate

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"
	"golang.org/x/time/rate"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/deploy/config"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/workflows"
)

// bucketDouble is a bucket with the URLs of its copies, by key.
type bucketDouble map[string]string

// broken is the name of the object that the bucket does not delete.
const broken = "/broken"

func (d bucketDouble) Keys(_ context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, key := range slices.Sorted(maps.Keys(d)) {
			if strings.HasPrefix(key, prefix) && !yield(key, nil) {
				return
			}
		}
	}
}

func (d bucketDouble) HeadMetadata(_ context.Context, key string) (storage.Stored, map[string]string, error) {
	return storage.Stored{}, map[string]string{activities.MetadataURL: d[key]}, nil
}

func (d bucketDouble) Delete(_ context.Context, key string) error {
	if strings.HasSuffix(key, broken) {
		return errors.New("access denied")
	}
	delete(d, key)
	return nil
}

// generations is redis with the purges of each key.
type generations struct {
	entries

	of map[string]int64
}

func (g *generations) Purge(_ context.Context, key string) (int64, error) {
	g.of[key]++
	return g.of[key], nil
}

// purgedRuns is Temporal with one run.
type purgedRuns struct {
	runsDouble

	id, query string
	signals   map[string]int64
}

func (d *purgedRuns) ListWorkflow(
	_ context.Context, r *workflowservice.ListWorkflowExecutionsRequest,
) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	if d.query = r.GetQuery(); !strings.Contains(d.query, `MirrorHost="example.com:8080" AND (ExecutionStatus="Running")`) {
		return &workflowservice.ListWorkflowExecutionsResponse{}, nil
	}
	out, err := d.DescribeWorkflowExecution(context.Background(), d.id, "")
	return &workflowservice.ListWorkflowExecutionsResponse{Executions: []*workflow.WorkflowExecutionInfo{out.GetWorkflowExecutionInfo()}}, err
}

func (d *purgedRuns) SignalWorkflow(_ context.Context, id, _, signal string, arg any) error {
	if id != d.id {
		return serviceerror.NewNotFound("no such run")
	}
	d.signals[signal] = arg.(workflows.Purge).Generation //nolint:forcetypeassert // Of this package
	return nil
}

// TestPurgeOfAHost purges the copies of a host or below a URL: one that runs, and those in the
// bucket. It leaves those of other hosts and ports.
func TestPurgeOfAHost(t *testing.T) {
	sealed := func(url string) activities.SealedObject {
		o := storage.Object{Service: "s3", Region: "us-west-2", URL: url}
		return activities.SealedObject{Service: o.Service, Region: o.Region, URL: o.Shown(), Hash: o.Hash()}
	}
	const host = "https://example.com:8080"
	run := sealed(host + "/a/running?signature=secret")
	payload, err := converter.GetDefaultDataConverter().ToPayloads(workflows.CopyObjectInput{Source: run})
	require.NoError(t, err)
	urls := []string{
		host + "/a/1?signature=secret", host + "/a/2", host + "/b/3", "http://example.com:8080/a/4", "https://example.com/a/5",
		"https://example.com.test:8080/a/6",
	}
	for name, tc := range map[string]struct {
		c      CopiesPurgeCommand
		more   string // Another copy in the bucket
		purged []string
		err    string
	}{
		"a host":    {CopiesPurgeCommand{Host: "EXAMPLE.com:8080"}, "", append(slices.Clone(urls[:4]), run.URL), ""},
		"a prefix":  {CopiesPurgeCommand{Prefix: "HTTPS://example.com:8080/a/"}, "", append(slices.Clone(urls[:2]), run.URL), ""},
		"an object": {CopiesPurgeCommand{Prefix: "https://example.com/a/5"}, "", urls[4:5], ""},
		"no object": {CopiesPurgeCommand{Host: "example.org"}, "", nil, ""},
		"a dry run": {CopiesPurgeCommand{Host: "example.com:8080", DryRun: true}, "", append(slices.Clone(urls[:4]), run.URL), ""},
		"one that fails": {
			CopiesPurgeCommand{Prefix: host + "/"}, host + broken, append(slices.Clone(urls[:3]), run.URL),
			"1 of 5 objects failed: repeat the command",
		},
	} {
		t.Run(name, func(t *testing.T) {
			tc.c.Rate = 1
			require.NoError(t, tc.c.Validate())
			b := bucketDouble{}
			stored := append(slices.Clone(urls), tc.more)
			for _, url := range stored {
				if s := sealed(url); url != "" {
					b[keyOf(s)] = s.URL
				}
			}
			all := maps.Clone(b)
			d := &purgedRuns{
				runsDouble: runsDouble{runs: map[string]enums.WorkflowExecutionStatus{workflows.ID(run): enums.WORKFLOW_EXECUTION_STATUS_RUNNING}, input: payload},
				id:         workflows.ID(run), signals: map[string]int64{},
			}
			g := &generations{of: map[string]int64{}}
			m := &mirror{
				temporal: d, payloads: converter.GetDefaultDataConverter(), cache: g,
				cfg: config.Config{Pools: []config.Pool{{Service: "s3", Region: "us-west-2", Bucket: "b"}}},
			}
			pool := m.cfg.StoragePools()[0]
			host, prefix, err := tc.c.of()
			require.NoError(t, err)
			var out bytes.Buffer
			p := &purger{mirror: m, out: &out, host: host, prefix: prefix, pace: rate.NewLimiter(rate.Inf, 1), dryRun: tc.c.DryRun}
			require.NoError(t, p.pool(t.Context(), pool, b))
			if err := p.end(); tc.err == "" {
				require.NoError(t, err)
			} else {
				require.EqualError(t, err, tc.err)
				require.Contains(t, out.String(), ": failed: access denied\n")
			}
			require.Contains(t, d.query, `MirrorHost="`+host+`"`)
			require.NotContains(t, out.String(), "secret")
			want := map[string]int64{}
			for _, url := range tc.purged {
				s := sealed(url)
				if url == run.URL {
					s = run
				}
				require.Contains(t, out.String(), workflows.ID(s)+": "+p.done()+"\n")
				want[m.cfg.Space(pool).Key(s.Hash)] = 2
				delete(all, keyOf(s))
			}
			require.Equal(t, len(tc.purged), p.purged)
			if tc.c.DryRun {
				require.Empty(t, g.of)
				require.Len(t, b, len(urls))
				return
			}
			require.Equal(t, all, b)
			if tc.more != "" {
				want[m.cfg.Space(pool).Key(sealed(tc.more).Hash)] = 1
			}
			require.Equal(t, want, g.of)
			if slices.Contains(tc.purged, run.URL) {
				require.Equal(t, map[string]int64{workflows.PurgeSignal: 2}, d.signals)
			}
		})
	}
	for want, c := range map[string]CopiesPurgeCommand{
		"--rate is 0, want at least 1":                             {Host: "a"},
		"--prefix has a query, which no copy shows":                {Prefix: "https://a/?b", Rate: 1},
		"--prefix is longer than 250 bytes":                        {Prefix: "https://a/" + strings.Repeat("a", 250), Rate: 1},
		"--prefix: url is not an absolute http or https url":       {Prefix: "a", Rate: 1},
		`--host: "https://a" is not a host, or a host with a port`: {Host: "https://a", Rate: 1},
	} {
		require.EqualError(t, c.Validate(), want)
	}
}

var _ bucket = (*storage.Bucket)(nil)

var _ entries = (*cache.Redis)(nil)
