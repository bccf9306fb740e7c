package workflows

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/cloud-mirror/cloud-mirror/activities"
)

// TestSummaryAfterALocalAttempt keeps a summary within Temporal's limit of 400 bytes.
func TestSummaryAfterALocalAttempt(t *testing.T) {
	require.Equal(t, "present", after(nil, "present"))
	require.Equal(t, "present, after a local attempt: timed out", after(errors.New("timed out"), "present"))
	f := activities.Failure{Class: activities.ClassCache, Text: "redis is down"}
	require.Equal(t, "present, after a local attempt: redis is down",
		after(temporal.NewApplicationErrorWithOptions("m", f.Class, temporal.ApplicationErrorOptions{Details: []any{f}}), "present"))
	long := after(errors.New(strings.Repeat("\u00e9", 500)), strings.Repeat("x", 160))
	require.LessOrEqual(t, len(long), 400)
	require.True(t, utf8.ValidString(long))
}
