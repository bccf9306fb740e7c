package e2e

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Sizes of objects. A large object has four ranges.
const (
	empty = -1
	large = 20*mib - 12345
	parts = 4
)

// agent is the User-Agent of the stack.
const agent = "cloud-mirror-e2e/1 (table of sources)"

// sourceRow is one misbehaving source, and the answer that its clients must get.
type sourceRow struct {
	name string
	// size is the size of the object in bytes; 0 is a few KiB.
	size int
	// encode makes the object of random bytes. By default they are the object.
	encode func(random []byte) []byte
	serve  func(v *visit)
	// hop makes the double's URL one that serve redirects.
	hop bool
	// deaf is a double whose port refuses connections. It can't count them.
	deaf bool
	// oneShot closes each connection after its response. maxConns resets further connections.
	oneShot  bool
	maxConns int
	// authority is a double at the host of source.authoritative_4xx.
	authority bool
	port      *port // Of the next double
	// failing is how many requests for the object fail before the double behaves as curl describes.
	failing int
	// curl is the result of `curl -L` without cloud-mirror. Bytes are the object's, unless curl fails.
	curl struct {
		exit, status int // The status is 200 by default
		patience     time.Duration
	}
	// sent are Content-* headers of the object that differ from the ordinary headers. An empty value
	// stands for no header.
	sent map[string]string
	// proofs show with curl that the double misbehaves.
	proofs []proof

	// want is the answer to every client. The zero value is the copy.
	want answerKind
	// seen are the requests that the double must see for all clients together.
	seen struct{ plain, ranged, hops span }
	// kept compares a header of the copy with the header of the source. By default they are equal.
	kept map[string]func(sent, got string) bool
	// after is the time after which nothing more can be expected from the source. The first client
	// has its answer soon after it, and not before notBefore.
	after, notBefore time.Duration
	// waits is set if the row waits most of its time. Many such rows run at the same time.
	waits bool
	// later checks what clients get after the first six. ask asks as one more client.
	later func(t *testing.T, d *double, ask func() answer)
}

// answerKind is an answer to a client: a redirect to the copy, a redirect to the source, or a
// status with an error code.
type answerKind struct {
	source bool
	status int
	code   string
}

func toSource() answerKind { return answerKind{source: true} }

func sourceStatus(status int) answerKind { return answerKind{status: status, code: "BadHTTPStatus"} }

// kindOf returns the kind of an answer to a request for an object.
func kindOf(a answer, region, object string) answerKind {
	switch {
	case a.status == http.StatusFound && a.isCopy() && strings.HasPrefix(a.location, sys.S3Endpoint(region)+"/"):
		return answerKind{}
	case a.status == http.StatusFound && a.location == object:
		return toSource()
	default:
		return answerKind{status: a.status, code: a.body.Err}
	}
}

// String describes the answer.
func (k answerKind) String() string {
	switch {
	case k.source:
		return "source"
	case k.status != 0:
		return fmt.Sprintf("%d %s", k.status, k.code)
	default:
		return "copy"
	}
}

// span is a number of requests: min to max.
type span struct {
	min, max int
	given    bool
}

func exactly(n int) span { return span{n, n, true} }

func between(first, last int) span { return span{first, last, true} }

// proof is a call of curl that shows how the double misbehaves.
type proof struct {
	args         []string
	exit, status int
	header       map[string]string // An empty value stands for no header
}

// The number of clients, one after the other, and the longest wait of the sixth. A client that waits
// in vain waits longer.
const (
	clients    = 6
	sixthLimit = 3 * time.Second
)

// The first client's answer is due soon after its row's after. A later one is marked in the table.
// The test fails only beyond tolerance. A busy machine does not reach it, and a client that waits
// in vain exceeds it.
const (
	soon      = 2 * time.Second
	tolerance = 8 * time.Second
)

// copyLimit is the most that a copy may take after its row's after. It is not part of the
// requirements: it only notices a copy that is slow for no reason.
const copyLimit = 15 * time.Second

// rowResult is a line of the table that the test prints.
type rowResult struct {
	row    *sourceRow
	answer string
	seen   counts
	waits  [clients]time.Duration
}

// run asks for the double's object as six clients, one after the other, through two front ends.
// Then curl is the seventh client, and its result must be that of curl without cloud-mirror.
func (row *sourceRow) run(t *testing.T, seed, region string, out *rowResult) {
	d := row.start(t, seed)
	object := d.object()
	ask := func(i int) answer { return do(t, http.MethodGet, redirectURL(i%2, region, object, ""), "") }
	for i := range clients {
		a := ask(i)
		out.waits[i] = a.took
		kind := kindOf(a, region, object)
		if i == 0 {
			out.answer = strings.TrimSpace(kind.String() + " " + a.body.Msg)
			first, _ := d.seen()
			row.checkSeen(t, first, 0, 1)
		}
		if !assert.Equal(t, row.want.String(), kind.String(), "answer to client %d: %s", i+1, a.body.Msg) {
			break // Further clients of a wrong answer may wait long
		}
	}
	var requests []*http.Request
	out.seen, requests = d.seen()
	runs := 1
	if row.want != (answerKind{}) {
		runs = 3 // On a busy machine the back-off passes between two clients. The third run is the last.
	}
	row.checkSeen(t, out.seen, 1, runs)
	checkHeaders(t, requests)
	if t.Failed() {
		return
	}
	row.checkWaits(t, out.waits)
	row.compare(t, d, region)
	if row.later != nil {
		row.later(t, d, func() answer { return ask(0) })
	}
}

// checkSeen compares the requests that the source saw with those of a number of runs.
func (row *sourceRow) checkSeen(t *testing.T, c counts, least, most int) {
	t.Helper()
	assert.Zero(t, c.heads, "HEADs that the source saw")
	check := func(what string, got int, want span) {
		within := least*want.min <= got && got <= most*want.max
		assert.True(t, within, "the source saw %d %s, want %d to %d", got, what, least*want.min, most*want.max)
	}
	check("plain GETs", c.plain, row.seen.plain)
	check("ranges", c.ranged, row.seen.ranged)
	check("redirected GETs", c.hops, row.seen.hops)
}

// checkHeaders checks that each request is a GET that any client could send.
func checkHeaders(t *testing.T, requests []*http.Request) {
	t.Helper()
	for _, r := range requests {
		assert.Equal(t, http.MethodGet, r.Method)
		assert.Equal(t, []string{"*/*"}, r.Header.Values("Accept"))
		assert.Equal(t, []string{"identity"}, r.Header.Values("Accept-Encoding"))
		assert.Equal(t, []string{agent}, r.Header.Values("User-Agent"))
		for _, name := range []string{
			"If-Match", "If-None-Match", "If-Range", "If-Modified-Since", "If-Unmodified-Since", "Cookie", "Referer",
			"Authorization",
		} {
			assert.Empty(t, r.Header.Values(name), name)
		}
	}
}

func (row *sourceRow) checkWaits(t *testing.T, waits [clients]time.Duration) {
	t.Helper()
	limit := tolerance
	if row.want == (answerKind{}) {
		limit = copyLimit
	}
	assert.LessOrEqual(t, waits[0], row.after+limit, "wait of the first client")
	assert.GreaterOrEqual(t, waits[0], row.notBefore, "wait of the first client")
	assert.LessOrEqual(t, waits[clients-1], sixthLimit, "wait of the sixth client")
}

// compare runs curl with and without cloud-mirror.
func (row *sourceRow) compare(t *testing.T, d *double, region string) {
	t.Helper()
	if row.want == (answerKind{}) {
		// A double that limits its requests would refuse curl while it answers the product.
		eventually(t, func() bool { return d.inFlight() == 0 }, "the double has answered all requests")
	}
	before, _ := d.seen()
	mirrored := curl(t, row.curl.patience, "--location", redirectURL(0, region, d.object(), ""))
	after, _ := d.seen()
	direct := curl(t, row.curl.patience, "--location", d.object())
	row.checkDirect(t, d, direct)
	if row.want.status != 0 {
		assert.Equal(t, row.want.status, mirrored.status, "status that curl gets from cloud-mirror")
		return
	}
	if row.want == (answerKind{}) {
		require.Equal(t, before, after, "requests to the source of a client that got the copy")
	}
	require.Equal(t, direct.exit, mirrored.exit, "curl -L through cloud-mirror: %s", mirrored)
	if direct.status != 0 { // Otherwise curl shows the front end's redirect
		require.Equal(t, direct.status, mirrored.status, "curl -L through cloud-mirror: %s", mirrored)
	}
	if direct.exit != curlOK {
		return
	}
	same := bytes.Equal(direct.body, mirrored.body)
	require.True(t, same, "curl -L got %s, and %s through cloud-mirror", direct, mirrored)
	for _, name := range keptHeaders() {
		sent, got := direct.header[strings.ToLower(name)], mirrored.header[strings.ToLower(name)]
		if equal, ok := row.kept[name]; ok {
			assert.True(t, equal(sent, got), "%s: the source sent %q, the copy has %q", name, sent, got)
		} else if sent != "" || name != "Content-Type" { // S3 adds a missing Content-Type
			assert.Equal(t, sent, got, name)
		}
	}
}

// checkDirect checks that the double behaves to curl as its row says.
func (row *sourceRow) checkDirect(t *testing.T, d *double, got curlResult) {
	t.Helper()
	status := row.curl.status
	if status == 0 && row.curl.exit == curlOK {
		status = http.StatusOK
	}
	require.Equal(t, row.curl.exit, got.exit, "curl -L: %s", got)
	require.Equal(t, status, got.status, "curl -L: %s", got)
	if got.exit != curlOK || status != http.StatusOK {
		return
	}
	require.True(t, bytes.Equal(d.body, got.body), "bytes: the object has %d, curl -L got %s", len(d.body), got)
	want := ordinaryHeaders()
	maps.Copy(want, row.sent)
	for _, name := range keptHeaders() {
		require.Equal(t, want[name], got.header[strings.ToLower(name)], name)
	}
}
