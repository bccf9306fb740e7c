package workflows_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/cloud-mirror/cloud-mirror/workflows"
)

func TestPriority(t *testing.T) {
	require.Equal(t, temporal.Priority{FairnessKey: "example.com", FairnessWeight: 1}, workflows.Priority(false, "example.com"))
	require.Equal(t, temporal.Priority{PriorityKey: 5, FairnessKey: "example.com", FairnessWeight: 1}, workflows.Priority(true, "example.com"))

	// Temporal refuses a longer key.
	long := strings.Repeat("a", 65)
	key := workflows.Priority(false, long).FairnessKey
	require.Len(t, key, 64)
	require.NotEqual(t, key, workflows.Priority(false, long+"a").FairnessKey)
	require.Equal(t, long[:64], workflows.Priority(false, long[:64]).FairnessKey)
}
