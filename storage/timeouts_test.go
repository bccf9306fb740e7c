package storage_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/storage"
)

// TestHeaderTimeout has the server accept every call and never answer.
func TestHeaderTimeout(t *testing.T) {
	silent := httptest.NewServer(http.HandlerFunc(hang))
	t.Cleanup(silent.Close)
	bucket := storage.Open(aws.Config{
		Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""),
		Retryer:     func() aws.Retryer { return retry.AddWithMaxBackoffDelay(retry.NewStandard(), time.Millisecond) },
		HTTPClient:  awshttp.NewBuildableClient(),
	}, storage.Pool{Region: "us-west-2", Bucket: "bucket", Endpoint: silent.URL, PathStyle: true, HeaderTimeout: 100 * time.Millisecond})
	for name, call := range map[string]func() error{
		"Head":        func() error { _, err := bucket.Head(t.Context(), "key"); return err },
		"Delete":      func() error { return bucket.Delete(t.Context(), "key") },
		"ListUploads": func() error { _, err := bucket.ListUploads(t.Context(), ""); return err },
		"ListParts": func() error {
			_, err := bucket.ListParts(t.Context(), storage.Upload{Key: "key", ID: "id"})
			return err
		},
		"AbortUpload": func() error { return bucket.AbortUpload(t.Context(), storage.Upload{Key: "key", ID: "id"}) },
		"CreateUpload": func() error {
			_, err := bucket.CreateUpload(t.Context(), storage.ObjectSpec{Key: "key"})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			done := make(chan error, 1)
			go func() { done <- call() }()
			select {
			case err := <-done:
				require.ErrorContains(t, err, "timeout awaiting response headers")
			case <-time.After(20 * time.Second):
				require.Fail(t, "the call hangs")
			}
		})
	}
}
