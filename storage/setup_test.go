package storage_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/storage"
)

func TestSetupIsIdempotentAndDryRunChangesNothing(t *testing.T) {
	cfg, pool := realPool(t)
	pool.Bucket += time.Now().Format("150405")
	pool.Lifespan = 30 * 24 * time.Hour
	b := storage.Open(cfg, pool)

	lines, err := b.Setup(t.Context(), true)
	require.NoError(t, err)
	require.Contains(t, strings.Join(lines, "\n"), "would create it in "+pool.Region)
	require.Contains(t, strings.Join(lines, "\n"), "would probe crc64nvme")
	_, err = client(cfg, pool).HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: &pool.Bucket})
	require.Error(t, err)

	lines, err = b.Setup(t.Context(), false)
	require.NoError(t, err)
	require.Contains(t, strings.Join(lines, "\n"), "created in "+pool.Region)
	lines, err = b.Setup(t.Context(), false)
	require.NoError(t, err)
	require.Contains(t, strings.Join(lines, "\n"), ": exists")
	// This server has no lifecycle rules, which causes a warning.
	require.Contains(t, strings.Join(lines, "\n"), "warning: the server has no lifecycle rules")
}
