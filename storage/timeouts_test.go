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
	"github.com/cloud-mirror/cloud-mirror/storage/storagetest"
)

// TestLongCallsHaveNoHeaderTimeout has the server answer one kind of call late. It may take minutes
// for some.
func TestLongCallsHaveNoHeaderTimeout(t *testing.T) {
	const limit = 500 * time.Millisecond
	s := servers(t)[0]
	all := sourcesOn(t, s)
	for call, tc := range map[string]struct {
		copies string // The copy that needs the call
		calls  int64
		err    string
	}{
		storagetest.CallCopy:     {storagetest.CallCopy, 1, ""},
		storagetest.CallPartCopy: {storagetest.CallComplete, 3, ""},
		storagetest.CallComplete: {storagetest.CallComplete, 1, ""},
		storagetest.CallHead:     {storagetest.CallCopy, 3, "timeout awaiting response headers"}, // control, with 2 retries
	} {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			c := all[tc.copies].newCopy(t, s, tc.copies, "host/late-"+call+"/name", func(p *storage.Pool) { p.HeaderTimeout = limit })
			c.Reply = func(_ http.ResponseWriter, r *http.Request) bool {
				if storagetest.Call(r) == call && c.injected.Add(1) <= tc.calls {
					select {
					case <-time.After(3 * limit):
					case <-r.Context().Done():
						panic(http.ErrAbortHandler)
					}
				}
				return false
			}
			_, err := c.run(t.Context())
			if tc.err != "" {
				require.ErrorContains(t, err, tc.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tc.calls, c.injected.Load(), "a retry")
			c.requireOurs(t)
		})
	}
}

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
