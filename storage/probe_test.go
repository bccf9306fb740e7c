package storage_test

import (
	"context"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/storagetest"
)

// requireNoProbe checks that setup left no object and no upload.
func (f *faultyBucket) requireNoProbe(t *testing.T) {
	t.Helper()
	objects, err := f.directClient.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &f.pool.Bucket})
	require.NoError(t, err)
	require.Empty(t, objects.Contents)
	require.Empty(t, f.uploads(t, ""))
}

// probes runs setup and returns its lines about the probe.
func (f *faultyBucket) probes(t *testing.T, dryRun bool) (lines []string, err error) {
	t.Helper()
	all, err := f.Setup(t.Context(), dryRun)
	for _, line := range all {
		if !strings.Contains(line, "lifecycle") && !strings.Contains(line, "CORS") && !strings.HasSuffix(line, ": exists") {
			lines = append(lines, line)
		}
	}
	f.requireNoProbe(t)
	return lines, err
}

func TestSetupProbesPoolSettings(t *testing.T) {
	for _, s := range servers(t) {
		for want, change := range map[string]func(*storage.Pool){
			"crc64nvme, unsigned payloads and conditional writes": nil,
			"md5, unsigned payloads and conditional writes":       func(p *storage.Pool) { p.Checksum = storage.ChecksumMD5 },
			"crc64nvme, signed payloads and conditional writes":   func(p *storage.Pool) { p.SignPayload = true },
			"crc64nvme and unsigned payloads":                     func(p *storage.Pool) { p.Overwrite = true },
			"md5 and signed payloads": func(p *storage.Pool) {
				p.Checksum, p.SignPayload, p.Overwrite = storage.ChecksumMD5, true, true
			},
		} {
			t.Run(s.name+", "+want, func(t *testing.T) {
				f := newFaultyBucket(t, s, change)
				var writes atomic.Int64
				f.Request = func(r *http.Request) bool {
					if strings.Contains(r.URL.Path, "/cloud-mirror-setup/probe/") {
						writes.Add(1)
					}
					return true
				}
				lines, err := f.probes(t, true)
				require.NoError(t, err)
				require.Equal(t, []string{"bucket " + f.pool.Bucket + ": would probe " + want}, lines)
				require.Zero(t, writes.Load())
				lines, err = f.probes(t, false)
				require.NoError(t, err)
				require.Equal(t, []string{"bucket " + f.pool.Bucket + ": " + want + " work"}, lines)
				require.Positive(t, writes.Load())
			})
		}
	}
}

// lack is a feature that a server does not have, with setup's report of it.
type lack struct {
	inject func(t *testing.T, f *faultyBucket)
	pool   func(*storage.Pool)
	err    string   // the error of setup, if it must fail
	lines  []string // the lines of setup otherwise, without the name of the bucket
}

// refusing has the server answer some requests with an error.
func refusing(status int, code string, which func(*http.Request) bool) func(*testing.T, *faultyBucket) {
	return func(_ *testing.T, f *faultyBucket) {
		f.Reply = func(w http.ResponseWriter, r *http.Request) bool {
			if which(r) {
				refuse(w, status, code)
				return true
			}
			return false
		}
	}
}

// stripping has the server ignore some headers and never send them.
func stripping(headers ...string) func(*testing.T, *faultyBucket) {
	return func(t *testing.T, f *faultyBucket) {
		t.Helper()
		f.Request = func(r *http.Request) bool {
			f.strip(t, r, headers...)
			return true
		}
		f.Response = func(r *http.Response) error {
			for _, h := range headers {
				r.Header.Del(h)
			}
			return nil
		}
	}
}

// unconditional has the server ignore the preconditions of a call.
func unconditional(call string) func(*testing.T, *faultyBucket) {
	return func(t *testing.T, f *faultyBucket) {
		t.Helper()
		f.Request = func(r *http.Request) bool {
			if storagetest.Call(r) == call {
				f.strip(t, r, "If-None-Match", "If-Match")
			}
			return true
		}
	}
}

func unsigned(r *http.Request) bool {
	return r.Header.Get("X-Amz-Content-Sha256") == "UNSIGNED-PAYLOAD"
}

func conditional(r *http.Request) bool {
	return r.Header.Get("If-None-Match") != "" || r.Header.Get("If-Match") != ""
}

func calls(call string) func(*http.Request) bool {
	return func(r *http.Request) bool { return storagetest.Call(r) == call }
}

// withCRC reports whether a request contains a CRC64NVME or asks for it.
func withCRC(r *http.Request) bool {
	return r.Header.Get("X-Amz-Checksum-Crc64nvme") != "" || r.Header.Get("X-Amz-Checksum-Algorithm") == "CRC64NVME"
}

func lacks() map[string]lack {
	const overwrites = "warning: the server ignores conditional writes: a worker that was frozen for minutes could " +
		"overwrite a newer copy with an older one (pools[].overwrite: true acknowledges this)"
	md5 := func(p *storage.Pool) { p.Checksum = storage.ChecksumMD5 }
	return map[string]lack{
		"refuses CRC64NVME": {
			inject: refusing(http.StatusBadRequest, "InvalidRequest", withCRC),
			err:    "set pools[].checksum: md5: ",
		},
		"does not know CRC64NVME": {
			inject: stripping("X-Amz-Checksum-Crc64nvme", "X-Amz-Checksum-Type", "X-Amz-Checksum-Mode"),
			err:    "set pools[].checksum: md5: ",
		},
		"repeats any CRC64NVME": {inject: repeating, err: "set pools[].checksum: md5: "},
		"has no CRC64NVME for uploads": {
			inject: refusing(http.StatusNotImplemented, "NotImplemented", func(r *http.Request) bool {
				return withCRC(r) && storagetest.Call(r) == storagetest.CallCreate
			}),
			err: "set pools[].checksum: md5: ",
		},
		"reports no CRC64NVME of whole uploads": {inject: composing(true), err: "set pools[].checksum: md5: "},
		"reports no CRC64NVME of puts":          {inject: composing(false), err: "set pools[].checksum: md5: "},
		"does not know Content-MD5": {
			inject: stripping("Content-Md5"), pool: md5,
			err: "set pools[].checksum: crc64nvme: ",
		},
		"refuses unsigned payloads": {
			inject: refusing(http.StatusBadRequest, "InvalidRequest", unsigned),
			err:    "set pools[].sign_payload: true: ",
		},
		"refuses conditions": {
			inject: refusing(http.StatusNotImplemented, "NotImplemented", conditional),
			err:    "set pools[].overwrite: true: ",
		},
		"refuses conditions at the end of an upload": {
			inject: refusing(http.StatusNotImplemented, "NotImplemented", func(r *http.Request) bool {
				return conditional(r) && storagetest.Call(r) == storagetest.CallComplete
			}),
			err: "set pools[].overwrite: true: ",
		},
		"refuses two things": {
			inject: refusing(http.StatusNotImplemented, "NotImplemented", func(r *http.Request) bool {
				return conditional(r) || unsigned(r)
			}),
			err: "set pools[].sign_payload: true and pools[].overwrite: true: ",
		},
		"refuses everything": {
			inject: refusing(http.StatusForbidden, "AccessDenied", calls(storagetest.CallPut)),
			err:    "the credentials lack s3:PutObject (no copy can be stored): ",
		},
		"refuses uploads for a reason of its own": {
			inject: refusing(http.StatusConflict, "OperationAborted", calls(storagetest.CallComplete)),
			err:    "probe upload: ",
		},
		"is down": {
			inject: refusing(http.StatusServiceUnavailable, "ServiceUnavailable", func(r *http.Request) bool {
				return storagetest.Call(r) == storagetest.CallPut && withCRC(r)
			}),
			err: "probe upload: ",
		},
		"ignores conditions": {
			inject: stripping("If-None-Match", "If-Match"),
			lines:  []string{"crc64nvme and unsigned payloads work", overwrites},
		},
		"ignores If-None-Match": {
			inject: stripping("If-None-Match"),
			lines:  []string{"crc64nvme and unsigned payloads work", overwrites},
		},
		"ignores conditions at the end of an upload": {
			inject: unconditional(storagetest.CallComplete),
			lines:  []string{"crc64nvme and unsigned payloads work", overwrites},
		},
		"ignores conditions of puts": {
			inject: unconditional(storagetest.CallPut),
			lines:  []string{"crc64nvme and unsigned payloads work", overwrites},
		},
		"ignores conditions, with overwrite set": {
			inject: stripping("If-None-Match", "If-Match"), pool: func(p *storage.Pool) { p.Overwrite = true },
			lines: []string{"crc64nvme and unsigned payloads work"},
		},
		"lists no checksums": {
			inject: func(_ *testing.T, f *faultyBucket) {
				f.Response = func(r *http.Response) error {
					if r.Request.Method == http.MethodGet && r.Request.URL.Query().Has("uploadId") {
						return rewrite(r, `<ChecksumCRC64NVME>[^<]*</ChecksumCRC64NVME>`, "")
					}
					return nil
				}
			},
			lines: []string{
				"crc64nvme, unsigned payloads and conditional writes work",
				"warning: the server does not list the checksums of parts: copies restart after a crash",
			},
		},
	}
}

// repeating has the server store and return any checksum without verifying it.
func repeating(t *testing.T, f *faultyBucket) {
	const header = "X-Amz-Checksum-Crc64nvme"
	var sums sync.Map
	f.Request = func(r *http.Request) bool {
		if sum := r.Header.Get(header); sum != "" && storagetest.Call(r) == storagetest.CallPut {
			sums.Store(r.URL.Path, sum)
			r.Header.Set("X-Repeat", sum)
			f.strip(t, r, header, "X-Repeat")
		}
		return true
	}
	f.Response = func(r *http.Response) error {
		if sum, ok := sums.Load(r.Request.URL.Path); ok && r.StatusCode == http.StatusOK {
			r.Header.Set(header, sum.(string))
		}
		return nil
	}
}

// composing has the server report composite checksums (checksums of checksums), either of uploads
// or of puts.
func composing(uploads bool) func(*testing.T, *faultyBucket) {
	return func(_ *testing.T, f *faultyBucket) {
		f.Response = func(r *http.Response) error {
			if r.Request.Method == http.MethodHead && strings.HasSuffix(r.Header.Get("Etag"), `-1"`) == uploads {
				r.Header.Set("X-Amz-Checksum-Type", "COMPOSITE")
			}
			return nil
		}
	}
}

// rewrite changes a reply's body.
func rewrite(r *http.Response, pattern, replacement string) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	changed := regexp.MustCompile(pattern).ReplaceAllString(string(body), replacement)
	r.Body = io.NopCloser(strings.NewReader(changed))
	r.ContentLength = int64(len(changed))
	r.Header.Set("Content-Length", strconv.Itoa(len(changed)))
	return nil
}

func TestSetupNamesTheSettingAServerNeeds(t *testing.T) {
	for _, s := range servers(t) {
		for name, tc := range lacks() {
			t.Run(s.name+" "+name, func(t *testing.T) {
				f := newFaultyBucket(t, s, tc.pool)
				tc.inject(t, f)
				lines, err := f.probes(t, false)
				for i, line := range tc.lines {
					tc.lines[i] = "bucket " + f.pool.Bucket + ": " + line
				}
				require.Equal(t, tc.lines, lines)
				if tc.err == "" {
					require.NoError(t, err)
					return
				}
				require.ErrorContains(t, err, "bucket "+f.pool.Bucket+": "+tc.err)
			})
		}
	}
}

func TestInterruptedSetupLeavesNoProbe(t *testing.T) {
	for _, s := range servers(t) {
		for _, call := range []string{
			storagetest.CallPut, storagetest.CallHead, storagetest.CallCreate, storagetest.CallPart, storagetest.CallComplete,
		} {
			t.Run(s.name+" "+call, func(t *testing.T) {
				f := newFaultyBucket(t, s, nil)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				f.Response = func(r *http.Response) error {
					if storagetest.Call(r.Request) == call && strings.Contains(r.Request.URL.Path, "/probe/") {
						cancel()
					}
					return nil
				}
				_, err := f.Setup(ctx, false)
				require.ErrorIs(t, err, context.Canceled)
				f.requireNoProbe(t)
			})
		}
	}
}

func TestSetupWithoutDeletePermissionProbesOnce(t *testing.T) {
	for _, s := range servers(t) {
		t.Run(s.name, func(t *testing.T) {
			f := newFaultyBucket(t, s, nil)
			refusing(http.StatusForbidden, "AccessDenied", func(r *http.Request) bool {
				return r.Method == http.MethodDelete && storagetest.Call(r) == storagetest.CallOther
			})(t, f)
			_, err := f.Setup(t.Context(), false)
			require.ErrorContains(t, err, "bucket "+f.pool.Bucket+": the credentials lack s3:DeleteObject (purges fail): ")
			left, err := f.directClient.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &f.pool.Bucket})
			require.NoError(t, err)
			require.Len(t, left.Contents, 1)
			require.NoError(t, f.directBucket.Delete(t.Context(), *left.Contents[0].Key))
		})
	}
}
