package copier_test

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"net/netip"
	"runtime/metrics"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloud-mirror/cloud-mirror/activities/copier"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
	"github.com/cloud-mirror/cloud-mirror/storage/storagetest"
)

// rawSource answers every connection with the same bytes, and closes it.
type rawSource struct {
	addr string

	mu    sync.Mutex
	reply []byte
}

func newRawSource(f *testing.F) *rawSource {
	f.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = listener.Close() })
	s := &rawSource{addr: listener.Addr().String()}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go s.answer(conn)
		}
	}()
	return s
}

func (s *rawSource) answer(conn net.Conn) {
	defer conn.Close()
	if _, err := http.ReadRequest(bufio.NewReader(conn)); err != nil {
		return
	}
	s.mu.Lock()
	reply := s.reply
	s.mu.Unlock()
	_, _ = conn.Write(reply)
}

// maxAllocated is more than a copy of a few KiB allocates. The buffers of a body of unknown length
// take 1 MiB.
const maxAllocated = 32 << 20

// allocated returns the bytes that this process has allocated since its start.
func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// FuzzReply sends raw bytes as the reply to a plain GET, and copies what it describes. The stored
// bytes must be the body of a 200, whole by its own framing. Bytes that are no such reply are an
// error.
func FuzzReply(f *testing.F) {
	for _, seed := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 4\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7fffffffffffffff\r\nhello",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\n\r\nhello",
		"HTTP/1.0 200 OK\r\n\r\nhello",
		"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-4/10\r\nContent-Length: 5\r\n\r\nhello",
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
		"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello",
		"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 5\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-MD5: XUFAKrxLKna5cZ2REBfFkg==\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-MD5: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\nhello",
		"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: " + strings.Repeat("a", 70<<10) + "\r\n\r\nhello",
		"SSH-2.0-OpenSSH\r\n", "", "\x00",
	} {
		f.Add([]byte(seed))
	}
	source := newRawSource(f)
	client, err := origin.New(fuzzConfig(source.addr))
	if err != nil {
		f.Fatal(err)
	}
	spool := f.TempDir()
	f.Fuzz(func(t *testing.T, reply []byte) {
		source.mu.Lock()
		source.reply = reply
		source.mu.Unlock()
		bucket := &storagetest.Memory{}
		c := &copier.Copier{
			Source: client, Bucket: bucket, SmallMemory: copier.NewMemory(16 << 20), Memory: copier.NewMemory(16 << 20),
			PartSize: storage.MinPartSize, Parts: 2, StallTimeout: 10 * time.Second, MinRate: 1, SpoolDir: spool,
		}
		before := allocated()
		result, err := c.Run(t.Context(), &copier.Job{
			URL: "http://" + source.addr + "/", First: true,
			Spec: func(origin.Meta) storage.ObjectSpec {
				return storage.ObjectSpec{Key: "key", Metadata: map[string]string{}}
			},
			Server: func(origin.Meta) *storage.CopySource { return nil }, Checkpoint: func(copier.State) {},
		})
		if took := allocated() - before; took > maxAllocated {
			t.Fatalf("%q: %d bytes allocated", reply, took)
		}
		body, stored := bucket.Body("key")
		if stored != (err == nil && result.Large == nil) {
			t.Fatalf("%q: stored %t, result %+v, error %v", reply, stored, result, err)
		}
		if stored {
			requireWhole(t, reply, body)
		}
	})
}

// requireWhole checks by net/http's own reader that a reply is a 200 whose whole body was stored. It
// checks the framing by itself: net/http accepts a body without any.
func requireWhole(t *testing.T, reply, stored []byte) {
	t.Helper()
	r := bufio.NewReader(bytes.NewReader(reply))
	req := &http.Request{Method: http.MethodGet}
	resp, err := http.ReadResponse(r, req)
	for err == nil && resp.StatusCode >= 100 && resp.StatusCode < 200 && resp.StatusCode != http.StatusSwitchingProtocols {
		resp, err = http.ReadResponse(r, req)
	}
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%q: %q is stored, of %+v, %v", reply, stored, resp, err)
	}
	defer resp.Body.Close()
	want, err := io.ReadAll(resp.Body)
	if err != nil || !bytes.Equal(want, stored) {
		t.Fatalf("%q: %q is stored, want %q, %v", reply, stored, want, err)
	}
	chunked := len(resp.TransferEncoding) == 1 && resp.TransferEncoding[0] == "chunked"
	if !chunked && resp.ContentLength != int64(len(stored)) {
		t.Fatalf("%q: %q is stored, although the reply has neither that length nor chunks", reply, stored)
	}
}

// fuzzConfig allows a source on loopback.
func fuzzConfig(addr string) origin.Config {
	return origin.Config{
		Allowed:         []string{"http://" + addr + "/"},
		AllowedNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Timeout: 5 * time.Second,
	}
}
