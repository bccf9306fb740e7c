package storage_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/storagetest"
)

// copyFault is injected into a server's own copy, which then must have this result.
type copyFault struct {
	inject func(t *testing.T, c *serverCopy)
	// err is the expected error: ErrNotCopied, ErrConflict or Canceled, and not the other two. It
	// is errAny for none of the three, and nil for success.
	err   error
	holds string
	only  string
}

// firstRead returns the call with which the server first reads the source.
func (c *serverCopy) firstRead() string {
	if c.call == storagetest.CallComplete {
		return storagetest.CallPartCopy
	}
	return c.call
}

// beforeFirstRead has hook called before the first such request.
func (c *serverCopy) beforeFirstRead(hook func()) {
	c.Request = func(r *http.Request) bool {
		if storagetest.Call(r) == c.firstRead() && c.injected.Add(1) == 1 {
			hook()
		}
		return true
	}
}

// useOwnSource copies the source to a source of this test, which the test may change.
func (c *serverCopy) useOwnSource(t *testing.T) {
	t.Helper()
	key := c.spec.Key + "-source"
	_, err := c.directClient.CopyObject(t.Context(), &s3.CopyObjectInput{
		Bucket: &c.src.Bucket, Key: &key, CopySource: aws.String(c.src.Header()),
	})
	require.NoError(t, err)
	c.src.Key = key
	stored, err := c.src.bucket.Head(t.Context(), key)
	require.NoError(t, err)
	c.src.ETag = stored.ETag
}

// answer has hook answer the named call, for the copy and not for its source.
func (c *serverCopy) answer(call string, hook func(w http.ResponseWriter)) {
	c.Reply = func(w http.ResponseWriter, r *http.Request) bool {
		if storagetest.Call(r) != call || !strings.HasSuffix(r.URL.Path, c.spec.Key) {
			return false
		}
		c.injected.Add(1)
		hook(w)
		return true
	}
}

// change has hook change the replies to the named call, for the copy and not for its source.
func (c *serverCopy) change(call string, hook func(r *http.Response) error) {
	c.Response = func(r *http.Response) error {
		if storagetest.Call(r.Request) != call || !strings.HasSuffix(r.Request.URL.Path, c.spec.Key) {
			return nil
		}
		c.injected.Add(1)
		return hook(r)
	}
}

func refusal(status int, code string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) { refuse(w, status, code) }
}

func writeLateError(w http.ResponseWriter) { io.WriteString(w, lateError) }

func abortConnection(http.ResponseWriter) { panic(http.ErrAbortHandler) }

func copyFaults() map[string]copyFault {
	const parts = storagetest.CallComplete
	plain := func(f func(*attempt)) func(*testing.T, *serverCopy) {
		return func(_ *testing.T, c *serverCopy) { f(&c.attempt) }
	}
	simple := func(f func(c *serverCopy)) func(*testing.T, *serverCopy) {
		return func(_ *testing.T, c *serverCopy) { f(c) }
	}
	notCopied, conflict := storage.ErrNotCopied, storage.ErrConflict
	return map[string]copyFault{
		"another copy exists": {plain(withOther(countFault)), conflict, others, ""},
		"another copy than Replaces exists": {func(t *testing.T, c *serverCopy) {
			t.Helper()
			c.spec.Replaces = `"00000000000000000000000000000000"`
			withOther(countFault)(&c.attempt)
		}, conflict, others, ""},
		"the copy in Replaces exists": {func(t *testing.T, c *serverCopy) {
			t.Helper()
			withOther(countFault)(&c.attempt)
			existing, err := c.directBucket.Head(t.Context(), c.spec.Key)
			require.NoError(t, err)
			c.spec.Replaces = existing.ETag
		}, nil, ours, ""},
		"the copy in Replaces is missing": {simple(func(c *serverCopy) {
			c.spec.Replaces = `"00000000000000000000000000000000"`
			countFault(&c.attempt)
		}), conflict, nothing, ""},
		"another copy is stored meanwhile": {simple(func(c *serverCopy) {
			c.beforeFirstRead(func() { must(c.storeOther()) })
		}), conflict, others, parts}, // these servers ignore the condition of CopyObject
		"the server reports another copy": {simple(func(c *serverCopy) {
			c.answer(c.call, refusal(http.StatusPreconditionFailed, "PreconditionFailed"))
		}), conflict, nothing, ""},

		"the source has another ETag": {simple(func(c *serverCopy) {
			c.src.ETag = `"00000000000000000000000000000000"`
			countFault(&c.attempt)
		}), notCopied, nothing, ""},
		"the source has another size": {simple(func(c *serverCopy) { c.src.Size++; countFault(&c.attempt) }), notCopied, nothing, ""},
		"the source is missing":       {simple(func(c *serverCopy) { c.src.Key += "x"; countFault(&c.attempt) }), notCopied, nothing, ""},
		"the source changes meanwhile": {func(t *testing.T, c *serverCopy) {
			t.Helper()
			c.useOwnSource(t)
			src := c.src
			c.beforeFirstRead(func() { src.put(t, []byte("another one")) })
		}, notCopied, nothing, ""},
		"the source is deleted meanwhile": {func(t *testing.T, c *serverCopy) {
			t.Helper()
			c.useOwnSource(t)
			c.beforeFirstRead(func() { must(c.src.bucket.Delete(context.Background(), c.src.Key)) })
		}, notCopied, nothing, ""},
		"reading the source is denied": {simple(func(c *serverCopy) {
			c.Reply = func(w http.ResponseWriter, r *http.Request) bool {
				if strings.HasSuffix(r.URL.Path, c.spec.Key) {
					return false
				}
				c.injected.Add(1)
				w.WriteHeader(http.StatusForbidden)
				return true
			}
		}), notCopied, nothing, ""},
		"the credentials are wrong": {simple(func(c *serverCopy) {
			c.cfg.Credentials = credentials.NewStaticCredentialsProvider("others", "othersothers", "")
			bucket := storage.Open(c.cfg, c.pool)
			c.run = func(ctx context.Context) (storage.Stored, error) {
				return bucket.CopyFrom(ctx, c.spec, c.src.CopySource, func(int64) {})
			}
			countFault(&c.attempt)
		}), notCopied, nothing, ""},

		"copies are not implemented": {simple(func(c *serverCopy) { c.answer(c.firstRead(), refusal(http.StatusNotImplemented, "NotImplemented")) }), notCopied, nothing, ""},
		"copies are denied":          {simple(func(c *serverCopy) { c.answer(c.firstRead(), refusal(http.StatusForbidden, "AccessDenied")) }), notCopied, nothing, ""},
		"requests are lost":          {plain(dropRequests), notCopied, nothing, ""},
		"replies are lost":           {plain(dropReplies), nil, ours, ""},
		"the reply is cut":           {plain(func(a *attempt) { a.changeReply(cutReply) }), nil, ours, ""},
		"a late error":               {plain(answerLateError), notCopied, nothing, ""},
		"a late error after success": {simple(func(c *serverCopy) { c.change(c.call, replacedBy(lateError)) }), nil, ours, ""},
		"requests for parts are lost": {simple(func(c *serverCopy) {
			c.answer(storagetest.CallPartCopy, abortConnection)
		}), notCopied, nothing, parts},
		"replies for parts are lost": {simple(func(c *serverCopy) { c.change(storagetest.CallPartCopy, loseReply) }), notCopied, nothing, parts},
		"a late error for a part":    {simple(func(c *serverCopy) { c.answer(storagetest.CallPartCopy, writeLateError) }), notCopied, nothing, parts},
		"an empty reply for a part":  {simple(func(c *serverCopy) { c.change(storagetest.CallPartCopy, replacedBy("")) }), notCopied, nothing, parts},
		"creating an upload is denied": {simple(func(c *serverCopy) {
			c.answer(storagetest.CallCreate, refusal(http.StatusForbidden, "AccessDenied"))
		}), notCopied, nothing, parts},
		"wrong HEAD checksum": {simple(func(c *serverCopy) {
			c.change(storagetest.CallHead, func(r *http.Response) error {
				r.Header.Set("X-Amz-Checksum-Crc64nvme", "AAAAAAAAAAA=")
				return nil
			})
		}), notCopied, nothing, ""},
		"wrong HEAD length": {simple(func(c *serverCopy) {
			c.change(storagetest.CallHead, func(r *http.Response) error {
				r.Header.Set("Content-Length", "1")
				return nil
			})
		}), notCopied, nothing, ""},
		"HEAD fails after the copy":     {simple(failHead(false)), errAny, ours, ""},
		"HEAD fails after lost replies": {simple(failHead(true)), errAny, ours, ""},

		"cancelled before success": {simple(func(c *serverCopy) {
			c.answer(c.call, func(http.ResponseWriter) { c.cancel(); panic(http.ErrAbortHandler) })
		}), context.Canceled, nothing, ""},
		"cancelled after success": {simple(func(c *serverCopy) {
			c.change(c.call, func(*http.Response) error { c.cancel(); return io.ErrUnexpectedEOF })
		}), nil, ours, ""},
		"cancelled when the upload is created": {simple(func(c *serverCopy) {
			c.change(storagetest.CallCreate, func(*http.Response) error { c.cancel(); return nil })
		}), context.Canceled, nothing, parts},
		"cancelled while parts are copied": {simple(func(c *serverCopy) { c.beforeFirstRead(func() { c.cancel() }) }),
			context.Canceled, nothing, parts},
		"cancelled when a part is copied": {simple(func(c *serverCopy) {
			c.change(storagetest.CallPartCopy, func(*http.Response) error { c.cancel(); return nil })
		}), context.Canceled, nothing, parts},
	}
}

func countFault(a *attempt) { a.injected.Add(1) }

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func replacedBy(body string) func(*http.Response) error {
	return func(r *http.Response) error { return replace(r, http.StatusOK, body) }
}

// failHead has every HEAD fail after the copy is stored.
func failHead(lost bool) func(*serverCopy) {
	return func(c *serverCopy) {
		c.Response = func(r *http.Response) error {
			switch storagetest.Call(r.Request) {
			case c.call:
				c.injected.Add(1)
				if lost {
					return io.ErrUnexpectedEOF
				}
			case storagetest.CallHead:
				if c.injected.Load() > 0 {
					return replace(r, http.StatusInternalServerError, "")
				}
			}
			return nil
		}
	}
}

func TestServerCopyFaults(t *testing.T) {
	keys := 0
	for _, s := range servers(t) {
		for call, src := range sourcesOn(t, s) {
			for name, tc := range copyFaults() {
				if tc.only != "" && tc.only != call {
					continue
				}
				keys++
				key := "host/" + strconv.Itoa(keys) + "/name"
				t.Run(s.name+", "+call+", "+name, func(t *testing.T) { src.newCopy(t, s, call, key, nil).checkFault(t, tc) })
			}
		}
	}
}

// checkFault injects the fault, runs the copy and checks the result.
func (c *serverCopy) checkFault(t *testing.T, tc copyFault) {
	t.Helper()
	var ctx context.Context
	ctx, c.cancel = context.WithCancel(t.Context())
	defer c.cancel()
	tc.inject(t, c)
	_, err := c.run(ctx)
	require.Equal(t, tc.err != nil, err != nil, "error: %v", err)
	for _, known := range []error{storage.ErrNotCopied, storage.ErrConflict, context.Canceled} {
		require.Equal(t, errors.Is(tc.err, known), errors.Is(err, known), "error: %v", err)
	}
	require.Positive(t, c.injected.Load(), "the fault was not injected")
	if tc.holds == ours {
		c.requireOurs(t)
	} else {
		require.Equal(t, tc.holds, c.existing(t))
	}
	require.Empty(t, c.uploads(t, c.spec.Key))
	require.Less(t, c.Largest(), int64(8<<10), "the bytes passed through this process")
}
