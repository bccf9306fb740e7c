package e2e

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"io"
	"net/http"
	"net/url"
	"path"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/stack"
)

// hashOf returns the SHA-256 that an object's S3 key, redis key and workflow id have in common.
func hashOf(object string) string {
	sum := sha256.Sum256([]byte(object))
	return hex.EncodeToString(sum[:])
}

func redisKey(region, object string) string {
	return redisKeyAt(sys.S3Endpoint(region), region, object)
}

// redisKeyAt is redisKey of a process that is configured with another endpoint of the bucket.
func redisKeyAt(endpoint, region, object string) string {
	bucket := sha256.Sum256([]byte(endpoint + "\x00" + stack.Bucket + "-" + region))
	hash := sha256.Sum256([]byte(object))
	return "cm:2:{s3_" + region + "/" + base64.RawURLEncoding.EncodeToString(bucket[:6]) + "/" +
		base64.RawURLEncoding.EncodeToString(hash[:]) + "}"
}

// keyOf returns the S3 key of the object's copy.
func keyOf(t *testing.T, object string) string {
	t.Helper()
	u, err := url.Parse(object)
	require.NoError(t, err)
	return u.Hostname() + "/" + hashOf(object) + "/" + path.Base(u.Path)
}

// s3Call sends a signed request to a region's bucket.
func s3Call(t *testing.T, method, region, key, query string) (status int, body []byte, header http.Header) {
	t.Helper()
	target := sys.S3Endpoint(region) + "/" + stack.Bucket + "-" + region + "/" + key + "?" + query
	req, err := http.NewRequest(method, target, nil)
	require.NoError(t, err)
	sum := sha256.Sum256(nil)
	payload := hex.EncodeToString(sum[:])
	req.Header.Set("X-Amz-Content-Sha256", payload)
	creds := aws.Credentials{AccessKeyID: stack.AccessKey, SecretAccessKey: stack.SecretKey}
	require.NoError(t, v4.NewSigner().SignHTTP(t.Context(), creds, req, payload, "s3", region, time.Now()))
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, body, resp.Header
}

// s3Get sends a GET, which must succeed, and decodes its XML.
func s3Get(t *testing.T, region, key, query string, into any) {
	t.Helper()
	status, body, _ := s3Call(t, http.MethodGet, region, key, query)
	require.Equal(t, 200, status, string(body))
	require.NoError(t, xml.Unmarshal(body, into))
}

// openUploads returns the ids of the open multipart uploads under a key.
func openUploads(t *testing.T, region, key string) (ids []string) {
	t.Helper()
	var list struct {
		IsTruncated bool
		Upload      []struct {
			Key string
			ID  string `xml:"UploadId"`
		}
	}
	s3Get(t, region, "", "uploads", &list)
	require.False(t, list.IsTruncated)
	for _, u := range list.Upload {
		if u.Key == key {
			ids = append(ids, u.ID)
		}
	}
	return ids
}

// storedParts returns the number of stored parts of a key's open upload. It returns 0 unless the
// key has exactly one.
func storedParts(t *testing.T, region, key string) int {
	t.Helper()
	uploads := openUploads(t, region, key)
	if len(uploads) != 1 {
		return 0
	}
	var list struct{ Part []struct{ PartNumber int } }
	s3Get(t, region, key, "uploadId="+url.QueryEscape(uploads[0]), &list)
	return len(list.Part)
}

// stored tells the versions of an object apart.
type stored struct {
	status             int
	etag, lastModified string
}

func head(t *testing.T, region, object string) stored {
	t.Helper()
	status, _, header := s3Call(t, http.MethodHead, region, keyOf(t, object), "")
	return stored{status, header.Get("ETag"), header.Get("Last-Modified")}
}

// requireNothing checks that a region's bucket holds neither the object nor an open upload of it.
func requireNothing(t *testing.T, region, object string) {
	t.Helper()
	require.Equal(t, 404, head(t, region, object).status)
	require.Empty(t, openUploads(t, region, keyOf(t, object)))
}
