package permissions

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/stack"
)

const mib = 1 << 20

// source serves an object under every path. While it is held, it sends no byte behind the first 10
// MiB.
type source struct {
	*httptest.Server
	held  atomic.Pointer[chan struct{}]
	parts atomic.Int64 // Requests that wait
}

func newSource(t *testing.T, size int) *source {
	t.Helper()
	s, body := &source{}, make([]byte, size)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var first int
		_, _ = fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &first)
		if gate := s.held.Load(); gate != nil && first >= 10*mib {
			s.parts.Add(1)
			defer s.parts.Add(-1)
			select {
			case <-*gate:
			case <-r.Context().Done():
				return
			}
		}
		w.Header().Set("ETag", `"v1"`)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
	}))
	t.Cleanup(s.Close)
	return s
}

// hold makes the source wait until release is called.
func (s *source) hold() (release func()) {
	gate := make(chan struct{})
	s.held.Store(&gate)
	return func() { s.held.Store(nil); close(gate) }
}

// s3 sends a signed request to the S3 server, past all recorders. It must succeed.
func (r *rig) s3(method, path string, body []byte) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.S3Endpoint(west)+path, bytes.NewReader(body))
	require.NoError(r.t, err)
	sum := sha256.Sum256(body)
	payload := hex.EncodeToString(sum[:])
	req.Header.Set("X-Amz-Content-Sha256", payload)
	creds := aws.Credentials{AccessKeyID: stack.AccessKey, SecretAccessKey: stack.SecretKey}
	require.NoError(r.t, v4.NewSigner().SignHTTP(r.t.Context(), creds, req, payload, "s3", west, time.Now()))
	resp, err := http.DefaultClient.Do(req)
	require.NoError(r.t, err)
	require.NoError(r.t, resp.Body.Close())
	require.Less(r.t, resp.StatusCode, 300, path)
}

// public makes a bucket that everyone can read, with an object.
func (r *rig) public(name, key string, size int) {
	r.t.Helper()
	r.s3(http.MethodPut, "/"+name, nil)
	r.s3(http.MethodPut, "/"+name+"?policy", []byte(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*",`+
		`"Action":"s3:GetObject","Resource":"arn:aws:s3:::`+name+`/*"}]}`))
	r.s3(http.MethodPut, "/"+name+"/"+key, make([]byte, size))
}

// age makes the copy of an object 25 days older. The S3 server keeps copies as files.
func (r *rig) age(object string) {
	r.t.Helper()
	sum := sha256.Sum256([]byte(object))
	file := filepath.Join(r.StateDir(), "s3", west, bucket, "127.0.0.1", hex.EncodeToString(sum[:]), object[strings.LastIndex(object, "/")+1:])
	when := time.Now().Add(-25 * 24 * time.Hour)
	require.NoError(r.t, os.Chtimes(file, when, when))
}

// queueAt returns a client of SQS, past all recorders, and the URL of a queue.
func (r *rig) queueAt(queue string) (client *sqs.Client, at *string) {
	r.t.Helper()
	to := r.SQSEndpoint()
	client = sqs.New(sqs.Options{
		Region: west, BaseEndpoint: &to, Credentials: credentials.NewStaticCredentialsProvider(stack.AccessKey, stack.SecretKey, ""),
	})
	out, err := client.GetQueueUrl(r.t.Context(), &sqs.GetQueueUrlInput{QueueName: &queue})
	require.NoError(r.t, err)
	return client, out.QueueUrl
}

// send puts a message into a queue.
func (r *rig) send(queue, body string) {
	r.t.Helper()
	client, at := r.queueAt(queue)
	_, err := client.SendMessage(r.t.Context(), &sqs.SendMessageInput{QueueUrl: at, MessageBody: &body})
	require.NoError(r.t, err)
}

// forget has a queue keep messages for a minute.
func (r *rig) forget(queue string) {
	r.t.Helper()
	client, at := r.queueAt(queue)
	_, err := client.SetQueueAttributes(r.t.Context(), &sqs.SetQueueAttributesInput{
		QueueUrl: at, Attributes: map[string]string{"MessageRetentionPeriod": "60"},
	})
	require.NoError(r.t, err)
}

// message is a request about an object, in the product's envelope.
func message(action, object string) string {
	return fmt.Sprintf(`{"version":1,"data":{"id":"s3_%s","url":%q,"action":%q}}`, west, object, action)
}

// ask sends a request to the front end, and returns its status and where it redirects to.
func (r *rig) ask(method, route, object, query string) (status int, location string) {
	r.t.Helper()
	target := "http://" + r.address(0) + "/v1/" + route + "/s3/" + west + "/" + strings.NewReplacer(":", "%3A", "/", "%2F").Replace(object) + query
	req, err := http.NewRequestWithContext(r.t.Context(), method, target, nil)
	require.NoError(r.t, err)
	req.Header.Set("Authorization", "Bearer "+stack.PurgeToken)
	resp, err := http.DefaultTransport.RoundTrip(req)
	require.NoError(r.t, err)
	require.NoError(r.t, resp.Body.Close())
	return resp.StatusCode, resp.Header.Get("Location")
}

// copied waits until the front end redirects to the copy of an object.
func (r *rig) copied(object string) (location string) {
	r.t.Helper()
	r.eventually(func() bool {
		_, location = r.ask(http.MethodGet, "redirect", object, "")
		return location != object && strings.Contains(location, "/"+bucket+"/")
	}, "a copy of "+object)
	return location
}
