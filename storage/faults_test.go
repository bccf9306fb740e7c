package storage_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/storagetest"
)

// attempt stores one object in a bucket, through a proxy that injects faults.
type attempt struct {
	*faultyBucket
	spec     storage.ObjectSpec
	body     []byte
	call     string // makes the object visible
	run      func(ctx context.Context) (storage.Stored, error)
	cancel   context.CancelFunc // of run
	injected atomic.Int64       // how often the fault was injected
}

// What the bucket may hold in the end.
const (
	nothing = "nothing"
	ours    = "ours"
	others  = "another copy"
)

// errAny stands for any error.
var errAny = errors.New("any error")

// fault is injected into an attempt, which then must have this result.
type fault struct {
	inject func(a *attempt)
	err    error
	holds  string
	// open is set if the upload, where the attempt has one, stays open.
	open bool
	// only is the only call to which the fault applies. Empty means every call.
	only string
}

// copyOf returns the spec of a copy.
func copyOf(key, copyID string) storage.ObjectSpec {
	return storage.ObjectSpec{
		Key: key, ContentType: "text/x-test", ContentEncoding: "x-test", ContentDisposition: "attachment",
		ContentLanguage: "de", Metadata: map[string]string{storage.MetadataCopyID: copyID},
	}
}

// otherBytes returns the bytes of another copy: the same, cut to 100,000 to keep the test fast.
func (a *attempt) otherBytes() []byte { return a.body[:min(len(a.body), 100_000)] }

// storeOther stores another copy, without faults.
func (a *attempt) storeOther() error {
	_, err := a.directClient.PutObject(context.Background(), &s3.PutObjectInput{
		Bucket: &a.pool.Bucket, Key: &a.spec.Key, Body: bytes.NewReader(a.otherBytes()),
		Metadata: map[string]string{storage.MetadataCopyID: others},
	})
	return err
}

// existing returns which copy the bucket holds, and checks its bytes.
func (a *attempt) existing(t *testing.T) string {
	t.Helper()
	body := a.read(t, a.spec.Key)
	if body == nil {
		return nothing
	}
	out, err := a.directClient.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &a.pool.Bucket, Key: &a.spec.Key})
	require.NoError(t, err)
	want := a.otherBytes()
	if out.Metadata[storage.MetadataCopyID] == ours {
		want = a.body
	}
	require.True(t, bytes.Equal(want, body), "stored bytes differ")
	return out.Metadata[storage.MetadataCopyID]
}

// answerCall has hook answer the attempt's call and its retries instead of the server.
func (a *attempt) answerCall(hook func(w http.ResponseWriter)) {
	a.Reply = func(w http.ResponseWriter, r *http.Request) bool {
		if storagetest.Call(r) != a.call {
			return false
		}
		a.injected.Add(1)
		hook(w)
		return true
	}
}

// changeReply has hook change the server's reply to the attempt's call and its retries.
func (a *attempt) changeReply(hook func(*http.Response) error) {
	a.Response = func(r *http.Response) error {
		if storagetest.Call(r.Request) != a.call {
			return nil
		}
		a.injected.Add(1)
		return hook(r)
	}
}

// loseReply drops a reply.
func loseReply(*http.Response) error { return io.ErrUnexpectedEOF }

func dropReplies(a *attempt) { a.changeReply(loseReply) }

func dropRequests(a *attempt) { a.answerCall(abortConnection) }

func answerBusy(a *attempt) { a.answerCall(refusal(http.StatusServiceUnavailable, "SlowDown")) }

// lateError is the body with which S3 reports an error after it has sent status 200.
const lateError = `<?xml version="1.0" encoding="UTF-8"?>` + "\n \n \n" + `<Error><Code>InternalError</Code></Error>`

// replace replaces the server's reply.
func replace(r *http.Response, status int, body string) error {
	r.StatusCode, r.Body, r.ContentLength = status, io.NopCloser(strings.NewReader(body)), int64(len(body))
	r.Header.Set("Content-Length", strconv.Itoa(len(body)))
	return nil
}

// flip flips a bit in the body of a call's requests.
func flip(call string) func(*attempt) {
	return func(a *attempt) {
		a.Request = func(r *http.Request) bool {
			if storagetest.Call(r) == call {
				body, _ := io.ReadAll(r.Body)
				body[len(body)/2] ^= 1
				r.Body = io.NopCloser(bytes.NewReader(body))
				a.injected.Add(1)
			}
			return true
		}
	}
}

// cutReply cuts a reply after half of its body.
func cutReply(r *http.Response) error {
	body, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body[:len(body)/2]), broken{}))
	return err
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// falseHead has HEAD report a wrong checksum ("bytes") or a wrong length ("number"). It removes the
// checksum from other replies, which would make the HEAD unnecessary.
func falseHead(what string) func(*attempt) {
	return func(a *attempt) {
		a.Response = func(r *http.Response) error {
			const header = "X-Amz-Checksum-Crc64nvme"
			if storagetest.Call(r.Request) != storagetest.CallHead {
				r.Header.Del(header)
				return nil
			}
			a.injected.Add(1)
			switch {
			case what == "number":
				r.ContentLength++
				r.Header.Set("Content-Length", strconv.FormatInt(r.ContentLength, 10))
			case a.Checksum() == storage.ChecksumMD5:
				r.Header.Set("Etag", `"0123456789abcdef0123456789abcdef"`)
			default:
				r.Header.Set(header, "AAAAAAAAAAA=")
			}
			return nil
		}
	}
}

// withOther injects a fault after another copy has been stored.
func withOther(inject func(*attempt)) func(*attempt) {
	return func(a *attempt) {
		if err := a.storeOther(); err != nil {
			panic(err)
		}
		inject(a)
	}
}

func faults() map[string]fault {
	none := func(a *attempt) { a.changeReply(func(*http.Response) error { return nil }) }
	const only = storagetest.CallComplete
	return map[string]fault{
		"no fault":                  {inject: none, holds: ours},
		"requests are lost":         {inject: dropRequests, err: errAny, holds: nothing, open: true},
		"replies are lost":          {inject: dropReplies, holds: ours},
		"a bit of the object flips": {inject: flip(storagetest.CallPut), err: errAny, holds: nothing, only: storagetest.CallPut},
		"a bit of a part flips":     {inject: flip(storagetest.CallPart), err: errAny, holds: nothing, open: true, only: only},
		"a bit of the list flips":   {inject: flip(storagetest.CallComplete), err: errAny, holds: nothing, open: true, only: only},
		"the reply is cut":          {inject: func(a *attempt) { a.changeReply(cutReply) }, holds: ours, only: only},
		"busy":                      {inject: answerBusy, err: errAny, holds: nothing, open: true},
		"a late error":              {inject: answerLateError, err: errAny, holds: nothing, open: true, only: only},
		"a late error after success": {inject: func(a *attempt) {
			a.changeReply(func(r *http.Response) error { return replace(r, http.StatusOK, lateError) })
		}, holds: ours, only: only},
		"a gateway timeout after success": {inject: func(a *attempt) {
			a.changeReply(func(r *http.Response) error { return replace(r, http.StatusGatewayTimeout, "") })
		}, holds: ours},
		"replies are lost and HEAD fails": {inject: func(a *attempt) {
			a.changeReply(loseReply)
			a.Reply = func(w http.ResponseWriter, r *http.Request) bool {
				if storagetest.Call(r) != storagetest.CallHead {
					return false
				}
				refuse(w, http.StatusInternalServerError, "InternalError")
				return true
			}
		}, err: errAny, holds: ours},
		"rejected as InvalidRequest":               {inject: rejectAs("InvalidRequest"), err: storage.ErrRejected, holds: nothing, open: true},
		"rejected as InvalidArgument":              {inject: rejectAs("InvalidArgument"), err: storage.ErrRejected, holds: nothing, open: true},
		"rejected as MalformedXML":                 {inject: rejectAs("MalformedXML"), err: storage.ErrRejected, holds: nothing, open: true},
		"another copy exists":                      {inject: withOther(none), err: storage.ErrConflict, holds: others, open: true},
		"another copy exists, requests are lost":   {inject: withOther(dropRequests), err: errAny, holds: others, open: true},
		"another copy exists, replies are lost":    {inject: withOther(dropReplies), err: errAny, holds: others, open: true},
		"another copy exists, busy":                {inject: withOther(answerBusy), err: errAny, holds: others, open: true},
		"another copy exists, wrong HEAD checksum": {inject: withOther(falseHead("bytes")), err: storage.ErrConflict, holds: others, open: true},
		"wrong HEAD checksum":                      {inject: falseHead("bytes"), err: storage.ErrMismatch, holds: nothing},
		"wrong HEAD length":                        {inject: falseHead("number"), err: storage.ErrMismatch, holds: nothing},
		"wrong HEAD length after lost replies":     {inject: loseReplyAndFakeHead, err: storage.ErrMismatch, holds: nothing},
		"another copy replaces ours before HEAD":   {inject: overtake, err: storage.ErrConflict, holds: others},
		"another copy replaces ours, lost replies": {inject: overtakeUnseen, err: errAny, holds: others},
		"cancelled before success": {inject: func(a *attempt) {
			a.answerCall(func(http.ResponseWriter) { a.cancel(); panic(http.ErrAbortHandler) })
		}, err: context.Canceled, holds: nothing, open: true},
		"cancelled after success": {inject: func(a *attempt) {
			a.changeReply(func(*http.Response) error { a.cancel(); return io.ErrUnexpectedEOF })
		}, holds: ours},
		"cancelled during the HEAD": {inject: cancelDuringHead, holds: ours},
	}
}

// cancelDuringHead cancels the caller's context while the HEAD that verifies a write is in flight.
func cancelDuringHead(a *attempt) {
	a.Response = func(r *http.Response) error {
		if storagetest.Call(r.Request) == a.call {
			r.Header.Del("X-Amz-Checksum-Crc64nvme") // Otherwise a PUT needs no HEAD.
		}
		return nil
	}
	a.Reply = func(_ http.ResponseWriter, r *http.Request) bool {
		if storagetest.Call(r) == storagetest.CallHead {
			a.injected.Add(1)
			a.cancel()
			select { // A HEAD that ends with the caller's context has 200 ms to do so.
			case <-r.Context().Done():
			case <-time.After(200 * time.Millisecond):
			}
		}
		return false
	}
}

func answerLateError(a *attempt) { a.answerCall(writeLateError) }

func rejectAs(code string) func(*attempt) {
	return func(a *attempt) { a.answerCall(refusal(http.StatusBadRequest, code)) }
}

func loseReplyAndFakeHead(a *attempt) {
	falseHead("number")(a)
	lie := a.Response
	a.Response = func(r *http.Response) error {
		if storagetest.Call(r.Request) == a.call {
			return io.ErrUnexpectedEOF
		}
		return lie(r)
	}
}

func overtake(a *attempt) {
	a.changeReply(func(r *http.Response) error {
		r.Header.Del("X-Amz-Checksum-Crc64nvme")
		return a.storeOther()
	})
}

func overtakeUnseen(a *attempt) {
	a.changeReply(func(*http.Response) error { return errors.Join(a.storeOther(), io.ErrUnexpectedEOF) })
}

// put stores the object in one request, upload in parts.
func (a *attempt) put(ctx context.Context) (storage.Stored, error) {
	return a.Put(ctx, a.spec, a.Checksum().Body(a.body))
}

func (a *attempt) upload(ctx context.Context) (storage.Stored, error) {
	u, err := a.CreateUpload(ctx, a.spec)
	if err != nil {
		return storage.Stored{}, err
	}
	part, err := a.UploadPart(ctx, u, 1, a.Checksum().Body(a.body))
	if err != nil {
		return storage.Stored{}, err
	}
	return a.CompleteUpload(ctx, a.spec, u, []storage.Part{part})
}

func TestFaults(t *testing.T) {
	keys := 0
	for _, s := range servers(t) {
		for _, sum := range []storage.Checksum{storage.ChecksumCRC64NVME, storage.ChecksumMD5} {
			for name, tc := range faults() {
				for _, call := range []string{storagetest.CallPut, storagetest.CallComplete} {
					if tc.only != "" && tc.only != call {
						continue
					}
					keys++
					spec := copyOf("host/"+strconv.Itoa(keys)+"/name", ours)
					t.Run(strings.Join([]string{s.name, string(sum), call, name}, ", "), func(t *testing.T) {
						f := newFaultyBucket(t, s, func(p *storage.Pool) { p.Checksum = sum })
						a := &attempt{faultyBucket: f, spec: spec, body: []byte("the bytes of a copy"), call: call}
						a.run = a.put
						if call == storagetest.CallComplete {
							a.run = a.upload
						}
						a.checkFault(t, tc)
					})
				}
			}
		}
	}
}

// checkFault injects the fault, runs the attempt and checks the result.
func (a *attempt) checkFault(t *testing.T, tc fault) {
	t.Helper()
	var ctx context.Context
	ctx, a.cancel = context.WithCancel(t.Context())
	defer a.cancel()
	tc.inject(a)
	stored, err := a.run(ctx)
	if tc.err != nil && !errors.Is(tc.err, errAny) {
		require.ErrorIs(t, err, tc.err)
	}
	require.Equal(t, tc.err != nil, err != nil, "error: %v", err)
	require.Positive(t, a.injected.Load(), "the fault was not injected")
	require.Equal(t, tc.holds, a.existing(t))
	if err == nil {
		head, err := a.directBucket.Head(t.Context(), a.spec.Key)
		require.NoError(t, err)
		if stored.Headers == (storage.Headers{}) { // Not all calls know them.
			head.Headers = storage.Headers{}
		}
		require.Equal(t, head, stored)
	}
	want := 0
	if tc.open && a.call == storagetest.CallComplete {
		want = 1
	}
	require.Len(t, a.uploads(t, a.spec.Key), want)
}
