package worker

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestIdentity reads the name that the Web UI shows beside an attempt.
func TestIdentity(t *testing.T) {
	host, err := os.Hostname()
	require.NoError(t, err)
	process := fmt.Sprintf("s3_us-west-2@%s:%d", host, os.Getpid())
	require.Equal(t, process+" cloud-mirror/v1.2.3", identity("s3_us-west-2", "v1.2.3"))
	require.Equal(t, process+" cloud-mirror/unknown", identity("s3_us-west-2", ""))
}
