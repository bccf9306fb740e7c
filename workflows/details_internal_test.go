package workflows

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/activities"
)

func TestDetails(t *testing.T) {
	s := activities.SealedObject{Service: "s3", Region: "us-west-2", URL: "https://example.com:8443/a`b.zip", Hash: "00"}
	require.Equal(t, "A copy of `https://example.com:8443/a%60b.zip` from `example.com:8443`, for clients in `us-west-2`. "+
		"It goes to the bucket of pool `s3_us-west-2`.", Details(s))
	s.URL += strings.Repeat("x", 100_000)
	require.Less(t, len(Details(s)), 20_000, "Temporal's limit")
}

func TestFailureDetails(t *testing.T) {
	f := activities.Failure{Class: "BadHTTPStatus", Status: 503, Text: "Unexpected HTTP Status: 503"}
	require.Contains(t, failureDetails(f, "id"), "**BadHTTPStatus, status 503**: `Unexpected HTTP Status: 503`. The source", "of an earlier build")
	f.Method, f.Host = "GET", "cdn.example.com:8443"
	text := failureDetails(f, "s3_w/h/it's/00")
	require.Contains(t, text, "**BadHTTPStatus, status 503**: `Unexpected HTTP Status: 503`, "+
		"for `GET` at host `cdn.example.com:8443`. The source has a fault")
	require.Contains(t, text, "\nRetry it: ``cloud-mirror copies retry 's3_w/h/it'\\''s/00'``  \n"+
		"Show it: ``cloud-mirror copies show 's3_w/h/it'\\''s/00'``\n")
	long := failureDetails(activities.Failure{Class: "InternalError", Text: strings.Repeat("x", 5000)}, strings.Repeat("x", 96))
	require.Less(t, len(long), 20_000)
}
