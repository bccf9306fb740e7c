package storage

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"
)

func TestExpiry(t *testing.T) {
	stored := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	header := `expiry-date="Fri, 23 Jan 2026 00:00:00 GMT", rule-id="cloud-mirror-expire"`
	require.Equal(t, time.Date(2026, 1, 23, 0, 0, 0, 0, time.UTC), expiry(&header, stored, time.Hour))
	require.Equal(t, stored.Add(time.Hour), expiry(nil, stored, time.Hour))
	require.Equal(t, stored.Add(time.Hour), expiry(aws.String("garbage"), stored, time.Hour))
	require.True(t, expiry(nil, stored, 0).IsZero())
}
