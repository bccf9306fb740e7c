package auditor

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLedger(t *testing.T) {
	body := bytes.Repeat([]byte("0123456789"), 100)
	digest := func(b []byte) string { sum := sha256.Sum256(b); return hex.EncodeToString(sum[:]) }
	var l Ledger
	server := httptest.NewServer(l.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/cut":
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write(body[:400])
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		case "/empty":
			w.Header().Set("Content-Length", "0")
		case "/refused":
			http.Error(w, "no", http.StatusForbidden)
		default:
			w.Header().Set("Etag", `"e"`)
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
		}
	})))
	defer server.Close()
	get := func(path, ranges string) {
		req, err := http.NewRequest(http.MethodGet, server.URL+path, nil)
		require.NoError(t, err)
		if ranges != "" {
			req.Header.Set("Range", "bytes="+ranges)
		}
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	of := func(path string) *Source {
		var s *Source
		require.Eventually(t, func() bool { s = l.Sources()[HashOf(server.URL+path)]; return s != nil }, 10*time.Second, time.Millisecond)
		return s
	}
	get("/whole?q", "")
	s := of("/whole?q")
	require.Equal(t, map[string]bool{digest(body): true}, s.Whole)
	require.EqualValues(t, 1000, s.Size)
	require.EqualValues(t, 1000, s.GETs[0].Bytes)

	get("/empty", "")
	require.Equal(t, map[string]bool{digest(nil): true}, of("/empty").Whole)

	get("/cut", "")
	s = of("/cut")
	require.Empty(t, s.Whole)
	require.True(t, s.GETs[0].Cut)
	require.EqualValues(t, 400, s.GETs[0].Bytes)

	get("/ranges", "500-999")
	require.Empty(t, of("/ranges").Whole, "half of the object")
	get("/ranges", "0-499")
	require.Eventually(t, func() bool { return of("/ranges").Whole[digest(body)] }, 10*time.Second, time.Millisecond)

	get("/refused", "")
	require.Nil(t, l.Sources()[HashOf(server.URL+"/refused")], "a refusal serves nothing")
	require.Equal(t, 6, l.Requests(http.MethodGet))
}

func TestParseMessage(t *testing.T) {
	m := parseMessage(`{"version":1,"data":{"id":"s3_us-west-2","url":"` + address + `","action":"put"}}`)
	require.Equal(t, [3]string{pool, HashOf(address), "put"}, [3]string{m.Pool, m.Hash, m.Action})
	m = parseMessage(`{"version":2,"data":{"id":"s3_us-west-2","url":"http://source.test/file.bin","sealedQuery":"x","hash":"` +
		HashOf(address) + `","action":"put"}}`)
	require.Equal(t, HashOf(address), m.Hash, "a sealed request names the object by its hash")
	require.Empty(t, parseMessage("{junk").Pool)
}

func TestParseEntry(t *testing.T) {
	sum := sha256.Sum256([]byte(address))
	object := base64.RawURLEncoding.EncodeToString(sum[:])
	for _, key := range []string{
		"cm:{s3_us-west-2/" + object + "}", "cm:2:{s3_us-west-2/a1b2c3d4/" + object + "}", "my:2:{s3_us-west-2/a1b2c3d4/" + HashOf(address) + "}",
	} {
		e, ok := parseEntry(key, `pending {"d":1700000000000,"owner":"x"}`, time.Second)
		require.True(t, ok, key)
		require.Equal(t, [3]string{pool, HashOf(address), "pending"}, [3]string{e.Pool, e.Hash, e.State}, key)
		require.Equal(t, time.UnixMilli(1700000000000), e.Deadline)
	}
	for _, key := range []string{"cm:{s3_us-west-2/" + object + "}:generation", "cm:backlog:{pools}:s3_us-west-2", "neighbours"} {
		_, ok := parseEntry(key, "1", time.Second)
		require.False(t, ok, key)
	}
}

func TestNames(t *testing.T) {
	hash, other := HashOf(address), strings.Repeat("0", 64)
	require.Equal(t, hash, hashOfKey("source.test/"+hash+"/"+other))
	require.Empty(t, hashOfKey("foreign/object.bin"))
	short := hash[:idDigits]
	for _, id := range []string{pool + "/source.test/" + other + "/" + short, "audit/" + pool + "/source.test/f/" + short, "purge/17/" + pool + "/source.test/f/" + short} {
		p, h := objectOf(id)
		require.Equal(t, [2]string{pool, short}, [2]string{p, h}, id)
	}
	elsewhere := HashOf("https://other.test/of a source that is not audited")
	e := Evidence{
		Accepted: []Message{{Hash: hash}}, Answers: []Answer{{Hash: other}, {Hash: elsewhere}},
		Runs: []Run{{Hash: short}, {Hash: other[:idDigits]}, {Hash: "unknown"}},
	}
	require.Equal(t, map[string]bool{hash: true, other: true}, e.nameRuns())
	require.Equal(t, []Run{{Hash: hash}, {Hash: other}, {Hash: "unknown"}}, e.Runs)
}

func TestCanaryCounts(t *testing.T) {
	c, err := NewCanary("127.0.0.1:0")
	require.NoError(t, err)
	defer c.Close()
	require.NoError(t, c.Prove(t.Context()))
	require.Zero(t, c.Connections())
	conn, err := net.Dial("tcp", c.Addr())
	require.NoError(t, err)
	conn.Close()
	require.Eventually(t, func() bool { return c.Connections() == 1 }, 10*time.Second, time.Millisecond)
}

func TestJournal(t *testing.T) {
	var j Journal
	j.Message("cloud-mirror", `{"version":1,"data":{"id":"s3_us-west-2","url":"`+address+`","action":"put"}}`)
	j.Message("cloud-mirror_dead", "{}")
	end := j.Fault("redis", "kill")
	require.Len(t, j.read(time.Time{}).Accepted, 1, "a dead letter is no accepted message")
	end()
	first := j.Faults()
	end()
	require.Equal(t, first, j.Faults(), "a fault ends once")
	require.Empty(t, j.read(time.Now().Add(time.Second)).Accepted, "before the scenario")
	require.False(t, j.read(time.Time{}).Accepted[0].Handwritten, "control")
	j.Handwritten("{}")
	j.Message("cloud-mirror", "{}")
	require.True(t, j.read(time.Time{}).Accepted[1].Handwritten)
}

func TestParseUsage(t *testing.T) {
	u := parseUsage("# HELP go_goroutines x\ngo_goroutines 12\nprocess_open_fds 7\ngo_memstats_heap_alloc_bytes 1.5e+06\n")
	require.Equal(t, Usage{Memory: 1.5e6, Goroutines: 12, Descriptors: 7}, u)
}

func TestParseReference(t *testing.T) {
	all, err := parseReference(`{"paths":{"/v1/redirect/{service}/{url}":{"get":{"responses":{"302":{},"4XX":{}}},"parameters":[]}}}`)
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"302", "4XX"}, all["GET /v1/redirect"])
	_, err = parseReference(`{}`)
	require.Error(t, err)
}

// TestLedgerCountsTheProductOnly has another client read the source. Its bytes are whole all the
// same.
func TestLedgerCountsTheProductOnly(t *testing.T) {
	l := Ledger{Agent: "mirror"}
	server := httptest.NewServer(l.Wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "body") })))
	defer server.Close()
	for _, agent := range []string{"mirror", "curl"} {
		req, err := http.NewRequest(http.MethodGet, server.URL, nil)
		require.NoError(t, err)
		req.Header.Set("User-Agent", agent)
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		resp.Body.Close()
	}
	require.Eventually(t, func() bool {
		s := l.Sources()[HashOf(server.URL+"/")]
		return s != nil && len(s.GETs) == 1 && len(s.Whole) == 1
	},
		10*time.Second, time.Millisecond)
	require.Equal(t, 2, l.Requests(http.MethodGet))
}
