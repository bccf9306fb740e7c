package storage_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/storage"
)

// exposed are the headers of the copy's answer that scripts can read.
const exposed = "Accept-Ranges, Content-Disposition, Content-Encoding, Content-Length, Content-Range, ETag"

// foreignCORSRules are rules of an application. Browsers send another Origin after a redirect.
func foreignCORSRules() []types.CORSRule {
	return []types.CORSRule{
		{
			ID: aws.String("theirs"), AllowedOrigins: []string{"https://app.example"}, AllowedMethods: []string{"PUT", "GET"},
			AllowedHeaders: []string{"x-amz-*"}, ExposeHeaders: []string{"X-Theirs"}, MaxAgeSeconds: aws.Int32(5),
		},
		{AllowedOrigins: []string{"https://*.example"}, AllowedMethods: []string{"DELETE"}},
	}
}

// corsBucket is an empty bucket with a new name on a real server, behind a proxy.
func corsBucket(t *testing.T, s server, on bool) *faultyBucket {
	t.Helper()
	s.Bucket = fmt.Sprintf("cors-%d", time.Now().UnixNano())
	return newFaultyBucket(t, s, func(p *storage.Pool) { p.CORS = on })
}

// corsRules returns the bucket's rules.
func (f *faultyBucket) corsRules(t *testing.T) []types.CORSRule {
	t.Helper()
	out, err := f.directClient.GetBucketCors(t.Context(), &s3.GetBucketCorsInput{Bucket: &f.pool.Bucket})
	if err != nil {
		require.Contains(t, err.Error(), "NoSuchCORSConfiguration")
		return nil
	}
	return out.CORSRules
}

func (f *faultyBucket) setCORSRules(t *testing.T, rules []types.CORSRule) {
	t.Helper()
	_, err := f.directClient.PutBucketCors(t.Context(), &s3.PutBucketCorsInput{
		Bucket: &f.pool.Bucket, CORSConfiguration: &types.CORSConfiguration{CORSRules: rules},
	})
	require.NoError(t, err)
}

// setCORS sets up the bucket with and without the rule, and returns the lines about it.
func (f *faultyBucket) setCORS(t *testing.T, on, dryRun bool) (lines []string) {
	t.Helper()
	pool := f.pool
	pool.CORS = on
	all, err := storage.Open(f.cfg, pool).Setup(t.Context(), dryRun)
	require.NoError(t, err)
	for _, line := range all {
		if strings.Contains(line, "CORS") {
			lines = append(lines, strings.TrimPrefix(line, "bucket "+pool.Bucket+": "))
		}
	}
	return lines
}

// script sends a request as a browser does for a script.
func script(t *testing.T, method, url string, header ...string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	require.NoError(t, err)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp
}

// location stores an object and returns its presigned URL for a method.
func (f *faultyBucket) location(t *testing.T, method string) string {
	t.Helper()
	_, err := f.directBucket.Put(t.Context(), copyOf("host/hash/name", ours), f.Checksum().Body([]byte("the bytes of a copy")))
	if err != nil {
		require.ErrorIs(t, err, storage.ErrConflict, "it exists")
	}
	at, err := f.directBucket.Location(t.Context(), method, "host/hash/name", time.Time{})
	require.NoError(t, err)
	return at.URL
}

func TestSetupCORS(t *testing.T) {
	f := corsBucket(t, servers(t)[0], true)
	const (
		would = "CORS rules: would set GET and HEAD for scripts of every site"
		done  = "CORS rules: set GET and HEAD for scripts of every site"
		same  = "CORS rules are as configured"
	)
	foreign := foreignCORSRules()
	f.setCORSRules(t, foreign)
	require.Equal(t, foreign, f.corsRules(t), "the server keeps rules as they are sent")

	require.Equal(t, []string{would}, f.setCORS(t, true, true))
	require.Equal(t, foreign, f.corsRules(t), "a dry run")
	require.Equal(t, []string{done}, f.setCORS(t, true, false))
	rules := f.corsRules(t)
	require.Len(t, rules, 3)
	require.Equal(t, foreign, rules[:2])
	require.Equal(t, "cloud-mirror-read", *rules[2].ID)
	for _, dryRun := range []bool{true, false} {
		require.Equal(t, []string{same}, f.setCORS(t, true, dryRun))
		require.Equal(t, rules, f.corsRules(t))
	}

	require.Equal(t, []string{"CORS rules: would remove cloud-mirror-read"}, f.setCORS(t, false, true))
	require.Equal(t, rules, f.corsRules(t), "a dry run")
	require.Equal(t, []string{"CORS rules: removed cloud-mirror-read"}, f.setCORS(t, false, false))
	require.Equal(t, foreign, f.corsRules(t))
	require.Equal(t, []string{same}, f.setCORS(t, false, false))

	f.setCORSRules(t, rules[2:])
	require.Equal(t, []string{"CORS rules: removed cloud-mirror-read"}, f.setCORS(t, false, false))
	require.Empty(t, f.corsRules(t), "it was the only rule")
	require.Equal(t, []string{same}, f.setCORS(t, false, true))
}

func TestSetupCORSWarnsOfRulesThatHideHeaders(t *testing.T) {
	f := corsBucket(t, servers(t)[0], true)
	hiding := []types.CORSRule{{ID: aws.String("theirs"), AllowedOrigins: []string{"*"}, AllowedMethods: []string{"GET"}}}
	f.setCORSRules(t, hiding)
	const warning = `warning: the CORS rule "theirs" comes first and hides headers of copies from scripts`
	for _, dryRun := range []bool{true, false, false} {
		require.Contains(t, f.setCORS(t, true, dryRun), warning)
	}
	require.Equal(t, hiding, f.corsRules(t)[:1])
	resp := script(t, http.MethodGet, f.location(t, http.MethodGet), "Origin", "null")
	require.Equal(t, "*", resp.Header.Get("Access-Control-Allow-Origin"))
	require.NotContains(t, resp.Header.Get("Access-Control-Expose-Headers"), "Content-Range", "as warned")
	require.NotContains(t, f.setCORS(t, false, false), warning)
}

// versitygw can't store so many rules, so the proxy answers for it.
func TestSetupCORSKeepsTheLimitOfRules(t *testing.T) {
	f := corsBucket(t, servers(t)[0], true)
	for foreign, accepted := range map[int]bool{99: true, 100: false} {
		sent := 0
		f.Reply = func(w http.ResponseWriter, r *http.Request) bool {
			if !r.URL.Query().Has("cors") {
				return false
			}
			if r.Method == http.MethodPut {
				body, _ := io.ReadAll(r.Body)
				sent = strings.Count(string(body), "<CORSRule>")
				return true
			}
			fmt.Fprintf(w, "<CORSConfiguration>%s</CORSConfiguration>", strings.Repeat(
				"<CORSRule><AllowedOrigin>https://a.example</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule>", foreign))
			return true
		}
		for _, dryRun := range []bool{true, false} {
			_, err := f.Setup(t.Context(), dryRun)
			if accepted {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, "CORS rules of bucket "+f.pool.Bucket+": S3 keeps at most 100: remove one, or set s3.cors to false")
			}
		}
		require.Equal(t, accepted, sent == 100, "rules sent: %d", sent)
	}
}

func TestSetupCORSOfMissingBucket(t *testing.T) {
	s := servers(t)[0]
	s.Bucket = fmt.Sprintf("cors-%d", time.Now().UnixNano())
	for on, want := range map[bool]bool{true: true, false: false} {
		pool := s.Pool
		pool.CORS = on
		lines, err := storage.Open(s.Config, pool).Setup(t.Context(), true)
		require.NoError(t, err)
		require.Equal(t, want, strings.Contains(strings.Join(lines, "\n"), "would set CORS rules"), lines)
	}
}

// A browser that follows a redirect to another origin sends `Origin: null`.
func TestCORSOfCopy(t *testing.T) {
	f := corsBucket(t, servers(t)[0], true)
	get, head := f.location(t, http.MethodGet), f.location(t, http.MethodHead)
	preflight := func(method, headers string) *http.Response {
		return script(t, http.MethodOptions, get, "Origin", "null",
			"Access-Control-Request-Method", method, "Access-Control-Request-Headers", headers)
	}
	f.setCORS(t, false, false)
	resp := script(t, http.MethodGet, get, "Origin", "null")
	require.Equal(t, 200, resp.StatusCode)
	require.Empty(t, resp.Header.Get("Access-Control-Allow-Origin"), "there is no rule")
	require.Equal(t, 403, preflight("GET", "if-none-match").StatusCode)

	f.setCORS(t, true, false)
	for method, url := range map[string]string{http.MethodGet: get, http.MethodHead: head} {
		resp := script(t, method, url, "Origin", "null", "Range", "bytes=4-8")
		require.Equal(t, 206, resp.StatusCode)
		require.Equal(t, "*", resp.Header.Get("Access-Control-Allow-Origin"), method)
		require.Contains(t, resp.Header.Get("Access-Control-Expose-Headers"), exposed, method) // and all x-amz-*
	}
	resp = preflight("GET", "if-none-match,range")
	require.Equal(t, 200, resp.StatusCode)
	require.Equal(t, "*", resp.Header.Get("Access-Control-Allow-Origin"))
	require.Equal(t, "if-none-match, range", resp.Header.Get("Access-Control-Allow-Headers"))
	require.Equal(t, "7200", resp.Header.Get("Access-Control-Max-Age"))
	require.Equal(t, 403, preflight("PUT", "").StatusCode, "the rule is for reading")
}

// MinIO has no rules of buckets. A setting of the whole server decides, and its default is any
// origin.
func TestSetupCORSOfServerWithoutIt(t *testing.T) {
	f := corsBucket(t, servers(t)[1], true)
	const warning = "warning: the server has no CORS rules: its own settings decide whether scripts can read copies"
	require.Equal(t, []string{warning}, f.setCORS(t, true, false))
	require.Empty(t, f.corsRules(t))
	require.Equal(t, []string{"CORS rules are as configured"}, f.setCORS(t, false, false))

	resp := script(t, http.MethodGet, f.location(t, http.MethodGet), "Origin", "null")
	require.Equal(t, 200, resp.StatusCode)
	require.Equal(t, "*", resp.Header.Get("Access-Control-Allow-Origin"))
	require.Contains(t, resp.Header.Get("Access-Control-Expose-Headers"), "Content-Range")
}

func TestSetupCORSWhereServerRefuses(t *testing.T) {
	s := servers(t)[0]
	on, off := corsBucket(t, s, true), corsBucket(t, s, false)
	off.setCORS(t, true, false) // so that there is a rule to remove
	refuseCall := func(f *faultyBucket, method string, status int, code string) (string, error) {
		refused := 0
		f.Reply = func(w http.ResponseWriter, r *http.Request) bool {
			if !r.URL.Query().Has("cors") || r.Method != method {
				return false
			}
			refused++
			refuse(w, status, code)
			return true
		}
		lines, err := f.Setup(t.Context(), false)
		require.Positive(t, refused, "the server was not asked")
		return strings.Join(lines, "\n"), err
	}
	for name, tc := range map[string]struct {
		f            *faultyBucket
		method, code string
		status       int
		line, err    string
	}{
		"no rules to read":   {on, "GET", "NotImplemented", 501, "warning: the server has no CORS rules", ""},
		"no rules to set":    {on, "PUT", "MethodNotAllowed", 405, "warning: the server has no CORS rules", ""},
		"off, no rules":      {off, "GET", "NotImplemented", 501, "CORS rules are as configured", ""},
		"reading is denied":  {on, "GET", "AccessDenied", 403, "crc64nvme", "CORS rules of bucket " + on.pool.Bucket + ": "},
		"setting is denied":  {on, "PUT", "AccessDenied", 403, "crc64nvme", "set CORS rules of bucket " + on.pool.Bucket + ": "},
		"removing is denied": {off, "DELETE", "AccessDenied", 403, "crc64nvme", "set CORS rules of bucket " + off.pool.Bucket + ": "},
	} {
		t.Run(name, func(t *testing.T) {
			lines, err := refuseCall(tc.f, tc.method, tc.status, tc.code)
			require.Contains(t, lines, tc.line)
			if tc.err == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, tc.err)
				require.ErrorContains(t, err, tc.code)
			}
		})
	}
}
