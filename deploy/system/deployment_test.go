package system_test

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/deploy/config"
	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
	"github.com/cloud-mirror/cloud-mirror/storage"
)

// purgeToken is a token with the scope purge.
const purgeToken = "purge-token-that-is-no-secret-0123456789"

// deployment is a front end with a real redis. One double stands for S3, SQS and the workers: it
// makes each requested copy at once, and publishes it as soon as redis accepts it.
type deployment struct {
	*frontEnd
	t      *testing.T
	cache  *cache.Redis // Of the workers
	space  cache.Space
	rules  cache.Rules
	bucket string // Where copies are

	mu     sync.Mutex
	stored map[string]int64     // The generations of copies, by S3 key
	heads  map[string]time.Time // The last HEAD of a copy, by S3 key
	copies int
}

// startDeployment starts a deployment with the redis at a URL.
func startDeployment(t *testing.T, redisURL string) *deployment {
	t.Helper()
	tokens := filepath.Join(t.TempDir(), "tokens")
	require.NoError(t, os.WriteFile(tokens, []byte("test purge "+purgeToken), 0o600))
	// A busy machine exceeds a shorter timeout now and then. A killed redis refuses connections at once.
	cfg := load(t, "CLOUD_MIRROR_REDIS_URL="+redisURL, "CLOUD_MIRROR_REDIS_TIMEOUT=1s", "CLOUD_MIRROR_FRONTEND_COLD_RATE=0",
		"CLOUD_MIRROR_FRONTEND_COLD_RATE_PER_HOST=0", "CLOUD_MIRROR_FRONTEND_TOKENS_FILE="+tokens)
	d := &deployment{t: t, rules: cfg.Rules(), stored: map[string]int64{}, heads: map[string]time.Time{}}
	aws := httptest.NewServer(d)
	t.Cleanup(aws.Close)
	cfg.SQS.Endpoint, cfg.Pools = aws.URL, []config.Pool{cfg.Pools[0]}
	cfg.Pools[0].Endpoint = aws.URL
	pool := cfg.StoragePools()[0]
	d.space, d.bucket = cfg.Space(pool), aws.URL+"/"+pool.Bucket+"/"
	o := cfg.CacheOptions()
	o.Undecodable = func() { t.Error("undecodable") }
	var err error
	d.cache, err = cache.Open(redisURL, o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = d.cache.Close() })
	d.frontEnd = startFrontend(t, cfg)
	return d
}

func object(source string) storage.Object {
	return storage.Object{Service: "s3", Region: "us-west-2", URL: source}
}

func (d *deployment) key(source string) string { return d.space.Key(object(source).Hash()) }

// redirect requests a redirect, and returns its status and location.
func (d *deployment) redirect(source, query string) (status int, location string, err error) {
	target := "http://" + d.listen + "/v1/redirect/s3/us-west-2/" + url.QueryEscape(source) + query
	req, err := http.NewRequestWithContext(context.WithoutCancel(d.t.Context()), http.MethodGet, target, nil)
	if err != nil {
		return 0, "", err
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, resp.Header.Get("Location"), err
}

// purge purges an object, and returns the status.
func (d *deployment) purge(source string) int {
	d.t.Helper()
	target := "http://" + d.listen + "/v1/purge/s3/us-west-2/" + url.QueryEscape(source)
	req, err := http.NewRequestWithContext(d.t.Context(), http.MethodDelete, target, nil)
	require.NoError(d.t, err)
	req.Header.Set("Authorization", "Bearer "+purgeToken)
	resp, err := http.DefaultTransport.RoundTrip(req)
	require.NoError(d.t, err)
	resp.Body.Close()
	return resp.StatusCode
}

// has reports whether the bucket has a copy.
func (d *deployment) has(source string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, ok := d.stored[object(source).Key()]
	return ok
}

// lastHead returns the time of the last HEAD of any of these objects.
func (d *deployment) lastHead(sources []string) (last time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, source := range sources {
		if at := d.heads[object(source).Key()]; at.After(last) {
			last = at
		}
	}
	return last
}

// ServeHTTP answers as S3 and SQS do.
func (d *deployment) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	_, action, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	_, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	switch {
	case action == "GetQueueUrl":
		fmt.Fprintf(w, `{"QueueUrl":"http://%s/queue"}`, r.Host)
	case action == "SendMessage":
		var message struct{ MessageBody string }
		_ = json.Unmarshal(body, &message)
		request, err := queue.Decode(message.MessageBody)
		if err != nil {
			d.t.Error(err)
		}
		if request.Action == queue.Put {
			go d.makeCopy(request.URL)
		}
		sum := md5.Sum([]byte(message.MessageBody))
		fmt.Fprintf(w, `{"MessageId":"1","MD5OfMessageBody":"%s"}`, hex.EncodeToString(sum[:]))
	case r.Method == http.MethodHead:
		d.mu.Lock()
		defer d.mu.Unlock()
		d.heads[key] = time.Now()
		generation, ok := d.stored[key]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.Header().Set("X-Amz-Meta-"+storage.MetadataGeneration, strconv.FormatInt(generation, 10))
	case r.Method == http.MethodDelete:
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.stored, key)
		w.WriteHeader(http.StatusNoContent)
	default:
		d.t.Errorf("unexpected request: %s %s %s", r.Method, r.URL.Path, action)
	}
}

// makeCopy stores a copy and publishes it. It tries again until redis answers, as a workflow does.
func (d *deployment) makeCopy(source string) {
	ctx := context.WithoutCancel(d.t.Context())
	key := d.key(source)
	for range 1000 {
		generation, err := d.cache.Generation(ctx, key)
		if err == nil {
			d.mu.Lock()
			d.stored[object(source).Key()] = generation
			d.mu.Unlock()
			present := d.rules.Present(time.Now(), cache.Copy{})
			if err = d.cache.Put(ctx, key, generation, present); err == nil {
				d.mu.Lock()
				d.copies++
				d.mu.Unlock()
				return
			}
		}
		<-time.After(50 * time.Millisecond)
		if d.t.Context().Err() != nil {
			return
		}
	}
	d.t.Error("a copy is never published")
}
