package storage_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/storage"
)

// faults is a real S3 server behind a proxy that forwards everything and spoils some of it.
type faults struct {
	bucket *storage.Bucket
	direct *s3.Client // past the proxy
	pool   storage.Pool
	// request may change what goes to the server, response what comes back; an error drops the reply.
	request  func(*http.Request)
	response func(*http.Response) error
}

func newFaults(t *testing.T) *faults {
	t.Helper()
	cfg, pool := realPool(t)
	f := &faults{pool: pool, direct: client(cfg, pool)}
	_, err := storage.Open(cfg, pool).Setup(t.Context(), false)
	require.NoError(t, err)
	target, err := url.Parse(pool.Endpoint)
	require.NoError(t, err)
	proxy := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host // which is signed
			if f.request != nil {
				f.request(r.Out)
			}
		},
		ModifyResponse: func(r *http.Response) error {
			if f.response != nil {
				return f.response(r)
			}
			return nil
		},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	})
	t.Cleanup(proxy.Close)
	pool.Endpoint = proxy.URL
	f.bucket = storage.Open(cfg, pool)
	return f
}

const faultyKey = "host/hash/name"

// upload stores three parts.
func (f *faults) upload(t *testing.T) ([]byte, error) {
	t.Helper()
	body := bytes.Repeat([]byte("0123456789abcdef"), (2*storage.MinPartSize+1<<20)/16)
	_, err := f.bucket.Upload(t.Context(), storage.UploadInput{
		Key: faultyKey, Body: bytes.NewReader(body), Size: int64(len(body)), Metadata: map[string]string{"try": t.Name()},
	})
	return body, err
}

func (f *faults) requireNothingLeft(t *testing.T) {
	t.Helper()
	key := faultyKey
	_, err := f.direct.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &f.pool.Bucket, Key: &key})
	require.Error(t, err, "there is an object")
	f.requireNoUploads(t)
}

func (f *faults) requireNoUploads(t *testing.T) {
	t.Helper()
	out, err := f.direct.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: &f.pool.Bucket})
	require.NoError(t, err)
	require.Empty(t, out.Uploads)
}

func (f *faults) requireStored(t *testing.T, want []byte) {
	t.Helper()
	key := faultyKey
	out, err := f.direct.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &f.pool.Bucket, Key: &key})
	require.NoError(t, err)
	got, err := io.ReadAll(out.Body)
	require.NoError(t, err)
	require.True(t, bytes.Equal(want, got), "stored bytes differ")
	f.requireNoUploads(t)
}

func isComplete(r *http.Request) bool {
	return r.Method == http.MethodPost && r.URL.Query().Get("uploadId") != ""
}

func TestWithoutFaultsTheProxyIsTransparent(t *testing.T) {
	f := newFaults(t)
	body, err := f.upload(t)
	require.NoError(t, err)
	f.requireStored(t, body)
}

func TestFlippedByteIsNotStored(t *testing.T) {
	f := newFaults(t)
	f.request = func(r *http.Request) {
		if r.Method == http.MethodPut && r.URL.Query().Get("partNumber") == "2" {
			data, _ := io.ReadAll(r.Body)
			data[len(data)/2] ^= 1
			r.Body = io.NopCloser(bytes.NewReader(data))
		}
	}
	_, err := f.upload(t)
	require.Error(t, err)
	f.requireNothingLeft(t)
}

func TestLostReplyOfCompleteIsSettled(t *testing.T) {
	f := newFaults(t)
	var lost atomic.Int64
	f.response = func(r *http.Response) error {
		if isComplete(r.Request) { // and every retry's: some servers answer them as they did the first
			lost.Add(1)
			return io.ErrUnexpectedEOF
		}
		return nil
	}
	body, err := f.upload(t)
	require.NoError(t, err)
	require.Positive(t, lost.Load())
	f.requireStored(t, body)
}

func TestFailedCompleteDoesNotTakeAnOlderCopyForItsOwn(t *testing.T) {
	f := newFaults(t)
	body := bytes.Repeat([]byte("0123456789abcdef"), (2*storage.MinPartSize+1<<20)/16)
	_, err := f.bucket.Upload(t.Context(), storage.UploadInput{
		Key: faultyKey, Body: bytes.NewReader(body), Size: int64(len(body)), Metadata: map[string]string{"try": "older"},
	})
	require.NoError(t, err)
	f.request = func(r *http.Request) {
		if isComplete(r) {
			r.URL.Path += "-no-such-object"
		}
	}
	_, err = f.upload(t)
	require.Error(t, err)
	f.requireStored(t, body)
}

func TestServerThatStoredSomethingElseIsNotBelieved(t *testing.T) {
	f := newFaults(t)
	f.response = func(r *http.Response) error {
		if r.Request.Method == http.MethodHead {
			r.Header.Set("X-Amz-Checksum-Crc64nvme", "AAAAAAAAAAA=")
		}
		return nil
	}
	_, err := f.upload(t)
	require.ErrorIs(t, err, storage.ErrMismatch)
	f.requireNothingLeft(t)
}
