package e2e

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// stallTimeout is source.stall_timeout of the stack.
const stallTimeout = 3 * time.Second

// bodyRows are sources whose responses to plain GETs are broken, or look broken.
func bodyRows() []sourceRow {
	return slices.Concat(
		sizeRows(), truncatedRows(), unframedRows(), malformedRows(), oddRows(), digestRows(), stalledRows(),
	)
}

// inChunks sends the object without its length.
func inChunks() func(*visit) { return onGet(set("Content-Length", "")) }

// sizeRows are ordinary objects at the limits of a copy by one GET.
func sizeRows() []sourceRow {
	rows := []sourceRow{
		{name: "no bytes", size: empty},
		{name: "no bytes, in chunks", size: empty, serve: inChunks()},
		{name: "in chunks", serve: inChunks()},
		{name: "8 MiB", size: 8 * mib},
		{name: "8 MiB and 1 byte", size: 8*mib + 1},
		{name: "1 MiB less 1 byte in chunks", size: mib - 1, serve: inChunks()},
		{name: "1 MiB in chunks", size: mib, serve: inChunks()},
	}
	rows[4].seen.ranged = exactly(2)
	rows[6].seen.plain = exactly(2)
	return rows
}

// broken is a row whose bodies can't be stored.
func broken(name string, exit int, answer func(v *visit)) sourceRow {
	row := sourceRow{name: name, serve: allGets(answer), want: toSource(), after: shapeDelay, waits: true}
	row.curl.exit = exit
	if exit != curlOK {
		row.curl.status = http.StatusOK
	}
	row.seen.plain = between(1, 4)
	return row
}

// once is a row whose first body can't be stored, but the second can.
func once(name string, answer func(v *visit)) sourceRow { return recovering(name, 1, answer) }

// short sends a body without its last byte.
func short(v *visit) {
	r := v.ordinary()
	r.body = r.body[:len(r.body)-1]
	v.send(r)
}

// shortChunks sends chunks without the last chunk.
func shortChunks(v *visit) {
	body := v.d.body
	v.raw(rawHead("HTTP/1.1 200 OK", "Transfer-Encoding: chunked"), fmt.Appendf(nil, "%x\r\n%s\r\n", len(body), body))
}

func truncatedRows() []sourceRow {
	long := func(v *visit) {
		v.raw(rawHead("HTTP/1.1 200 OK", "Content-Length: "+strconv.Itoa(len(v.d.body))), v.d.body, []byte("and more"))
	}
	lost := broken("a body that is reset", curlReceive, func(v *visit) {
		conn, buffered, err := http.NewResponseController(v.w).Hijack()
		if err != nil {
			return
		}
		_, _ = buffered.Write(rawHead("HTTP/1.1 200 OK", "Content-Length: "+strconv.Itoa(len(v.d.body))))
		_, _ = buffered.Write(v.d.body[:len(v.d.body)/2])
		_ = buffered.Flush()
		reset(conn)
	})
	lost.seen.plain, lost.after = between(1, 6), outageDelay // It may be an outage
	truncated := broken("a truncated body", curlTruncated, short)
	truncated.later = givenUp
	rows := []sourceRow{
		truncated,
		broken("a truncated body, in chunks", curlTruncated, shortChunks),
		lost,
		{name: "a body that is longer than declared", serve: allGets(long)}, // Clients read as much as declared
		once("a truncated body, once", short),
		once("a truncated body in chunks, once", shortChunks),
	}
	for _, row := range []sourceRow{
		broken("a truncated body, large and without ranges", curlTruncated, func(v *visit) {
			v.w.Header().Set("Connection", "close")
			r := v.ordinary()
			set("ETag", "")(r)
			r.body = r.body[:len(r.body)-1]
			v.send(r)
		}),
		broken("a truncated body, large and in chunks", curlTruncated, shortChunks),
	} {
		row.size, row.seen.plain = 9*mib, between(2, 5)
		row.after += 4 * time.Second // Four transfers
		rows = append(rows, row)
	}
	return rows
}

// givenUp checks that copies end after three series of attempts. The longest back-off of settings()
// passes during the check.
func givenUp(t *testing.T, d *double, ask func() answer) {
	before, _ := d.seen()
	more := func() int {
		now, _ := d.seen()
		return now.plain - before.plain
	}
	eventually(t, func() bool {
		require.False(t, ask().isCopy())
		return more() >= 2*4
	}, "three series of attempts")
	require.Never(t, func() bool { return more() > 2*4 || ask().took > sixthLimit }, 10*time.Second, 100*time.Millisecond,
		"another attempt, or a client that waits")
}

func unframedRows() []sourceRow {
	unframed := func(version string) func(v *visit) {
		return func(v *visit) { v.raw(rawHead(version+" 200 OK", "Connection: close"), v.d.body) }
	}
	sized := sourceRow{name: "HTTP/1.0 with Content-Length", serve: allGets(func(v *visit) {
		v.raw(rawHead("HTTP/1.0 200 OK", "Content-Length: "+strconv.Itoa(len(v.d.body))), v.d.body)
	})}
	big := broken("an unframed body, large", curlOK, unframed("HTTP/1.1"))
	big.size, big.seen.plain = large, between(1, 5)
	return []sourceRow{
		broken("an unframed body", curlOK, unframed("HTTP/1.1")),
		broken("an unframed body, HTTP/1.0", curlOK, unframed("HTTP/1.0")),
		big, sized,
	}
}

// malformedRows are malformed responses. A worker requests each once more, because it may have
// been cut, and then gives up.
func malformedRows() []sourceRow {
	row := func(name string, exit, status int, answer func(v *visit)) sourceRow {
		r := sourceRow{name: name, serve: allGets(answer), want: toSource()}
		r.curl.exit, r.curl.status = exit, status
		r.seen.plain = exactly(2)
		return r
	}
	whole := func(lines ...string) func(v *visit) {
		return func(v *visit) {
			n := strconv.Itoa(len(v.d.body))
			all := make([]string, len(lines))
			for i, line := range lines {
				all[i] = strings.ReplaceAll(line, "N", n)
			}
			v.raw(rawHead("HTTP/1.1 200 OK", all...), v.d.body)
		}
	}
	var pile []string
	for i := range 1100 {
		pile = append(pile, fmt.Sprintf("X-Pile-%04d: %s", i, strings.Repeat("x", 50)))
	}
	return []sourceRow{
		row("one line with two Content-Lengths", curlOK, 0, whole("Content-Length: N, N")),
		row("two lines with different Content-Lengths", curlTruncated, 200, whole("Content-Length: N", "Content-Length: 1N")),
		row("a negative Content-Length", curlWeird, 200, whole("Content-Length: -5")),
		row("a Content-Length that is no number", curlWeird, 200, whole("Content-Length: five")),
		row("a head above 64 KiB", curlOK, 0, whole(append(pile, "Content-Length: N")...)),
		row("one header above 64 KiB", curlOK, 0, whole("X-Pile: "+strings.Repeat("x", 70<<10), "Content-Length: N")),
		row("a header without a colon", curlWeird, 200, whole("Content-Length: N", "nonsense")),
		row("not HTTP", curlProtocol, 0, func(v *visit) { v.raw([]byte("SSH-2.0-OpenSSH_9.2\r\n")) }),
		row("a status that is no number", curlProtocol, 0, func(v *visit) { v.raw([]byte("HTTP/1.1 abc OK\r\n\r\n")) }),
	}
}

// oddRows are unusual responses that are valid, or that all clients accept.
func oddRows() []sourceRow {
	n := func(v *visit) string { return "Content-Length: " + strconv.Itoa(len(v.d.body)) }
	odd := func(name string, answer func(v *visit)) sourceRow {
		return sourceRow{name: name, serve: allGets(answer)}
	}
	return []sourceRow{
		odd("two equal lines of Content-Length", func(v *visit) { v.raw(rawHead("HTTP/1.1 200 OK", n(v), n(v)), v.d.body) }),
		odd("no reason phrase", func(v *visit) { v.raw(rawHead("HTTP/1.1 200", n(v)), v.d.body) }),
		odd("lines that end in LF", func(v *visit) {
			v.raw(bytes.ReplaceAll(rawHead("HTTP/1.1 200 OK", n(v)), []byte("\r\n"), []byte("\n")), v.d.body)
		}),
		odd("103 before 200", func(v *visit) {
			v.raw([]byte("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"), rawHead("HTTP/1.1 200 OK", n(v)), v.d.body)
		}),
		odd("headers in capitals", func(v *visit) {
			v.raw(bytes.ReplaceAll(rawHead("HTTP/1.1 200 OK", n(v)), []byte("Content-"), []byte("CONTENT-")), v.d.body)
		}),
		odd("a head of 40 KiB", func(v *visit) {
			v.raw(rawHead("HTTP/1.1 200 OK", "X-Pile: "+strings.Repeat("x", 40<<10), n(v)), v.d.body)
		}),
		odd("a trailer", func(v *visit) {
			v.raw(rawHead("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "Trailer: X-Sum"),
				fmt.Appendf(nil, "%x;ext=1\r\n%s\r\n0\r\nX-Sum: 1\r\n\r\n", len(v.d.body), v.d.body))
		}),
	}
}

// digestRows are sources that send digests.
func digestRows() []sourceRow {
	type digest struct{ name, header, right, wrong string }
	of := func(body []byte) []digest {
		sha, md := sha256.Sum256(body), md5.Sum(body)
		s, m := base64.StdEncoding.EncodeToString(sha[:]), base64.StdEncoding.EncodeToString(md[:])
		zeros := func(n int) string { return base64.StdEncoding.EncodeToString(make([]byte, n)) }
		return []digest{
			{"Repr-Digest", "Repr-Digest", "sha-256=:" + s + ":", "sha-256=:" + zeros(32) + ":"},
			{"Digest", "Digest", "SHA-256=" + s, "SHA-256=" + zeros(32)},
			{"Content-MD5", "Content-MD5", m, zeros(16)},
		}
	}
	var rows []sourceRow
	for i, d := range of(nil) {
		with := func(wrong bool) func(*visit) {
			return func(v *visit) {
				r, d := v.ordinary(), of(v.d.body)[i]
				r.header.Set(d.header, map[bool]string{false: d.right, true: d.wrong}[wrong])
				v.send(r)
			}
		}
		rows = append(rows,
			sourceRow{name: "a right " + d.name, serve: with(false)},
			broken("a wrong "+d.name, curlOK, with(true)),
			once("a wrong "+d.name+", once", with(true)),
		)
		if i == 0 {
			right := sourceRow{name: "a right Repr-Digest, large", size: large, serve: with(false)}
			right.seen.ranged = exactly(parts)
			wrong := broken("a wrong Repr-Digest, large", curlOK, with(true))
			wrong.size, wrong.seen.plain, wrong.seen.ranged = large, between(1, 5), between(parts, 4*parts)
			wrong.after += 5 * time.Second // Four transfers
			rows = append(rows, right, wrong)
		}
	}
	return rows
}

// stalledRows are bodies that stop in the middle.
func stalledRows() []sourceRow {
	stall := func(v *visit) { v.stall(v.ordinary()) }
	always := broken("a body that stalls", curlTimeout, stall)
	always.curl.patience = time.Second
	always.after, always.notBefore = 4*stallTimeout+shapeDelay, stallTimeout
	always.seen.plain = between(2, 4)
	// Half of a large body arrives within the first interval of source.stall_timeout, and the product
	// measures whole intervals.
	byStalls := func(name string, serve func(*visit), plain, ranged span) sourceRow {
		row := sourceRow{name: name, size: large, serve: serve, waits: true}
		row.notBefore, row.after = stallTimeout, 2*stallTimeout+shapeDelay
		row.seen.plain, row.seen.ranged = plain, ranged
		return row
	}
	small := once("a body that stalls once", stall)
	small.curl.patience = 2 * time.Second
	small.after, small.notBefore = stallTimeout+shapeDelay, stallTimeout
	return []sourceRow{
		always, small,
		byStalls("a body that stalls once, large and without ranges", func(v *visit) {
			r := v.ordinary()
			set("Accept-Ranges", "none")(r)
			if v.n == 2 { // The first GET reads no body
				v.stall(r)
				return
			}
			v.send(r)
		}, exactly(3), exactly(0)),
		byStalls("a range that stalls once", func(v *visit) {
			if v.ranged && v.n == 2 {
				v.stall(v.ordinary())
				return
			}
			v.send(v.ordinary())
		}, between(1, 2), between(parts, 2*parts)),
	}
}
