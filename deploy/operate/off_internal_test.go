package operate

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/converter"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/deploy/config"
	"github.com/cloud-mirror/cloud-mirror/workflows"
)

// cacheDouble is redis with bypasses, and without copies.
type cacheDouble struct {
	entries

	off []cache.Bypass
}

func (d *cacheDouble) Bypasses(context.Context) (cache.BypassList, error) {
	return cache.BypassList{All: d.off}, nil
}

func (d *cacheDouble) Get(context.Context, string) (cache.Entry, error) { return cache.Entry{}, nil }

// TestNothingIsCopiedWhileSwitchedOff has an operator retry and copy an object whose host or pool
// is switched off, or another's.
func TestNothingIsCopiedWhileSwitchedOff(t *testing.T) {
	until := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	in := workflows.CopyObjectInput{Source: activities.SealedObject{
		Service: "s3", Region: "us-west-2", URL: "https://example.com:8080/a", Hash: "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
	}}
	id := workflows.ID(in.Source)
	payload, err := converter.GetDefaultDataConverter().ToPayloads(in)
	require.NoError(t, err)
	for off, refusal := range map[string]string{
		cache.BypassOfHost("example.com:8080"): "host:example.com:8080 is switched off until 2026-11-26T12:00:00Z: " +
			"use --force, or cloud-mirror bypass remove --host example.com:8080",
		cache.BypassOfPool("s3_us-west-2"): "pool:s3_us-west-2 is switched off until 2026-11-26T12:00:00Z: " +
			"use --force, or cloud-mirror bypass remove --pool s3_us-west-2",
		cache.BypassOfHost("example.com"): "",
	} {
		for _, force := range []bool{false, true} {
			d := &runsDouble{runs: map[string]enums.WorkflowExecutionStatus{id: enums.WORKFLOW_EXECUTION_STATUS_FAILED}, input: payload}
			m := &mirror{
				temporal: d, payloads: converter.GetDefaultDataConverter(), cache: &cacheDouble{off: []cache.Bypass{{Name: off, Until: until}}},
				cfg: config.Config{Pools: []config.Pool{{Service: "s3", Region: "us-west-2", Bucket: "b"}}},
			}
			w := info(t, id, "", enums.WORKFLOW_EXECUTION_STATUS_FAILED)
			for _, dryRun := range []bool{true, false} {
				got, err := m.retry(t.Context(), w, force, dryRun)
				require.NoError(t, err)
				want := map[bool]string{true: "would be retried", false: "retried"}[dryRun]
				if refusal != "" && !force {
					want = "skipped: switched off"
				}
				require.Equal(t, want, got)
			}
			err := m.allowed(t.Context(), in.Source, force)
			if refusal == "" || force {
				require.NoError(t, err)
				continue
			}
			require.EqualError(t, err, refusal)
			require.Equal(t, enums.WORKFLOW_EXECUTION_STATUS_FAILED, d.runs[id], "no run starts")
		}
	}
}
