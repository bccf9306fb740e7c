package schedules_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/cloud-mirror/cloud-mirror/worker/codec"
)

// with returns the deployment as a process with these payload keys sees it.
func (d deployment) with(t *testing.T, keys ...string) deployment {
	t.Helper()
	payloads, err := codec.New(keys, func(error) {})
	require.NoError(t, err)
	c, err := client.Dial(client.Options{
		HostPort: os.Getenv("CM_TEST_TEMPORAL_ADDRESS"), DataConverter: payloads.DataConverter(),
	})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	d.Client, d.Converter = c.ScheduleClient(), payloads.DataConverter()
	return d
}

// keyOf returns the id of the key that encrypted the schedule's argument and memo.
func (d deployment) keyOf(t *testing.T, id string) string {
	t.Helper()
	out, err := d.Client.GetHandle(t.Context(), id).Describe(t.Context())
	require.NoError(t, err)
	action, ok := out.Schedule.Action.(*client.ScheduleWorkflowAction)
	require.True(t, ok)
	arg, ok := action.Args[0].(*common.Payload)
	require.True(t, ok)
	memo, ok := action.Memo["cloud-mirror-deployment"].(*common.Payload)
	require.True(t, ok)
	key := string(arg.GetMetadata()["encryption-key-id"])
	require.Equal(t, key, string(memo.GetMetadata()["encryption-key-id"]))
	require.Equal(t, key == "", string(arg.GetMetadata()[converter.MetadataEncoding]) == converter.MetadataEncodingJSON)
	return key
}

// TestSetupFollowsAKeyRotation runs a set-up after each step of the operators' page. No schedule
// needs a former key afterwards: without it, Temporal's client can't even describe the schedule.
func TestSetupFollowsAKeyRotation(t *testing.T) {
	const (
		a = "a=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
		b = "b=AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="
	)
	plain := newDeployment(t)
	plain.setup(t, false)
	same := []string{"west: exists as configured", "east: exists as configured"}
	set := []string{"west: set [arguments memo]", "east: set [arguments memo]"}
	for _, step := range []struct {
		keys []string
		want []string
		key  string
	}{
		{[]string{codec.None, a}, same, ""},
		{[]string{a}, set, "a"},
		{[]string{a, b}, same, "a"},
		{[]string{b, a}, set, "b"},
		{[]string{b}, same, "b"},
		{[]string{codec.None, b}, set, ""},
		{nil, same, ""},
	} {
		d := plain.with(t, step.keys...)
		require.Equal(t, step.want, d.setup(t, false), "%q", step.key)
		require.Equal(t, same, d.setup(t, false), "%q", step.key)
		require.Equal(t, step.key, d.keyOf(t, d.west))
	}
}
