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

// copyFault is what goes wrong with a server's own copy and what comes of it.
type copyFault struct {
	inject func(t *testing.T, c *serverCopy)
	// err is the error, which is the only one of ErrNotCopied, ErrConflict and Canceled, or errAny for neither of them.
	err   error
	holds string
	only  string
}

// first is the call by which the server first reads the source.
func (c *serverCopy) firstRead() string {
	if c.call == storagetest.CallComplete {
		return storagetest.CallPartCopy
	}
	return c.call
}

// before the first such request, hook is called.
func (c *serverCopy) beforeFirstRead(hook func()) {
	c.Request = func(r *http.Request) bool {
		if storagetest.Call(r) == c.firstRead() && c.injected.Add(1) == 1 {
			hook()
		}
		return true
	}
}

// own makes a source of its own, which may be changed.
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

// at has the named call, of the copy and not of its source, answered by hook.
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

// replies of the named call go through hook.
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
		"another copy is there": {plain(withOther(countFault)), conflict, others, ""},
		"another copy than the one to replace is there": {func(t *testing.T, c *serverCopy) {
			t.Helper()
			c.spec.Replaces = `"00000000000000000000000000000000"`
			withOther(countFault)(&c.attempt)
		}, conflict, others, ""},
		"the copy to replace is there": {func(t *testing.T, c *serverCopy) {
			t.Helper()
			withOther(countFault)(&c.attempt)
			existing, err := c.directBucket.Head(t.Context(), c.spec.Key)
			require.NoError(t, err)
			c.spec.Replaces = existing.ETag
		}, nil, ours, ""},
		"the copy to replace is not there": {simple(func(c *serverCopy) {
			c.spec.Replaces = `"00000000000000000000000000000000"`
			countFault(&c.attempt)
		}), conflict, nothing, ""},
		"another copy comes": {simple(func(c *serverCopy) {
			c.beforeFirstRead(func() { must(c.storeOther()) })
		}), conflict, others, parts}, // the servers here ignore the condition of CopyObject
		"the server says that another copy is there": {simple(func(c *serverCopy) {
			c.answer(c.call, refusal(http.StatusPreconditionFailed, "PreconditionFailed"))
		}), conflict, nothing, ""},

		"the source is another one": {simple(func(c *serverCopy) {
			c.src.ETag = `"00000000000000000000000000000000"`
			countFault(&c.attempt)
		}), notCopied, nothing, ""},
		"the source has another size": {simple(func(c *serverCopy) { c.src.Size++; countFault(&c.attempt) }), notCopied, nothing, ""},
		"the source is not there":     {simple(func(c *serverCopy) { c.src.Key += "x"; countFault(&c.attempt) }), notCopied, nothing, ""},
		"the source changes": {func(t *testing.T, c *serverCopy) {
			t.Helper()
			c.useOwnSource(t)
			src := c.src
			c.beforeFirstRead(func() { src.put(t, []byte("another one")) })
		}, notCopied, nothing, ""},
		"the source goes": {func(t *testing.T, c *serverCopy) {
			t.Helper()
			c.useOwnSource(t)
			c.beforeFirstRead(func() { must(c.src.bucket.Delete(context.Background(), c.src.Key)) })
		}, notCopied, nothing, ""},
		"the source may not be read": {simple(func(c *serverCopy) {
			c.Reply = func(w http.ResponseWriter, r *http.Request) bool {
				if strings.HasSuffix(r.URL.Path, c.spec.Key) {
					return false
				}
				c.injected.Add(1)
				w.WriteHeader(http.StatusForbidden)
				return true
			}
		}), notCopied, nothing, ""},
		"the credentials are others": {simple(func(c *serverCopy) {
			c.cfg.Credentials = credentials.NewStaticCredentialsProvider("others", "othersothers", "")
			bucket := storage.Open(c.cfg, c.pool)
			c.run = func(ctx context.Context) (storage.Stored, error) {
				return bucket.CopyFrom(ctx, c.spec, c.src.CopySource, func(int64) {})
			}
			countFault(&c.attempt)
		}), notCopied, nothing, ""},

		"the server can't copy":     {simple(func(c *serverCopy) { c.answer(c.firstRead(), refusal(http.StatusNotImplemented, "NotImplemented")) }), notCopied, nothing, ""},
		"the server may not copy":   {simple(func(c *serverCopy) { c.answer(c.firstRead(), refusal(http.StatusForbidden, "AccessDenied")) }), notCopied, nothing, ""},
		"requests are lost":         {plain(dropRequests), notCopied, nothing, ""},
		"replies are lost":          {plain(dropReplies), nil, ours, ""},
		"half of the reply comes":   {plain(func(a *attempt) { a.changeReply(cutReply) }), nil, ours, ""},
		"a late error":              {plain(answerLateError), notCopied, nothing, ""},
		"a late error, though done": {simple(func(c *serverCopy) { c.change(c.call, replacedBy(lateError)) }), nil, ours, ""},
		"requests of parts are lost": {simple(func(c *serverCopy) {
			c.answer(storagetest.CallPartCopy, abortConnection)
		}), notCopied, nothing, parts},
		"replies of parts are lost": {simple(func(c *serverCopy) { c.change(storagetest.CallPartCopy, loseReply) }), notCopied, nothing, parts},
		"a late error of a part":    {simple(func(c *serverCopy) { c.answer(storagetest.CallPartCopy, writeLateError) }), notCopied, nothing, parts},
		"a part without an answer":  {simple(func(c *serverCopy) { c.change(storagetest.CallPartCopy, replacedBy("")) }), notCopied, nothing, parts},
		"no upload can be begun": {simple(func(c *serverCopy) {
			c.answer(storagetest.CallCreate, refusal(http.StatusForbidden, "AccessDenied"))
		}), notCopied, nothing, parts},
		"HEAD lies of the copy's checksum": {simple(func(c *serverCopy) {
			c.change(storagetest.CallHead, func(r *http.Response) error {
				r.Header.Set("X-Amz-Checksum-Crc64nvme", "AAAAAAAAAAA=")
				return nil
			})
		}), notCopied, nothing, ""},
		"HEAD lies of the copy's size": {simple(func(c *serverCopy) {
			c.change(storagetest.CallHead, func(r *http.Response) error {
				r.Header.Set("Content-Length", "1")
				return nil
			})
		}), notCopied, nothing, ""},
		"HEAD fails afterwards":         {simple(failHead(false)), errAny, ours, ""},
		"HEAD fails after lost replies": {simple(failHead(true)), errAny, ours, ""},

		"the caller leaves before": {simple(func(c *serverCopy) {
			c.answer(c.call, func(http.ResponseWriter) { c.cancel(); panic(http.ErrAbortHandler) })
		}), context.Canceled, nothing, ""},
		"the caller leaves when it is done": {simple(func(c *serverCopy) {
			c.change(c.call, func(*http.Response) error { c.cancel(); return io.ErrUnexpectedEOF })
		}), nil, ours, ""},
		"the caller leaves when the upload begins": {simple(func(c *serverCopy) {
			c.change(storagetest.CallCreate, func(*http.Response) error { c.cancel(); return nil })
		}), context.Canceled, nothing, parts},
		"the caller leaves while parts are copied": {simple(func(c *serverCopy) { c.beforeFirstRead(func() { c.cancel() }) }),
			context.Canceled, nothing, parts},
		"the caller leaves when a part is copied": {simple(func(c *serverCopy) {
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

// failHead has looks at the copy fail once it is there.
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

// suffer has the copy suffer a fault and checks what comes of it.
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
	require.Positive(t, c.injected.Load(), "the fault did not strike")
	if tc.holds == ours {
		c.requireOurs(t)
	} else {
		require.Equal(t, tc.holds, c.existing(t))
	}
	require.Empty(t, c.uploads(t, c.spec.Key))
	require.Less(t, c.Largest(), int64(8<<10), "its bytes came here")
}
