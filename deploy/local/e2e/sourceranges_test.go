package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// rangeRow is a large source whose plain GETs are ordinary, with a strong ETag. One stream copies it
// if ranges fail.
type rangeRow struct {
	name   string
	serve  func(*visit)
	status int               // Of a range
	header map[string]string // Of a range
	ranged span
	plain  span // By default exactly 2: the first GET, and one stream
	exit   int  // Of curl for a range
}

// The numbers of ranges that a source may see before the copy becomes one stream.
var (
	// ranges in flight when the first answer arrives
	atOnce = between(1, parts)
	// The same, and then one part again without other requests in flight. Until then the limit of
	// requests in flight is halved, from 4 to 2 to 1.
	onceMore = between(1, 3*parts)
	// The plain GETs of an object that changes: the second one may show a version to fetch in ranges.
	twice = between(2, 3)
)

// rangeHas is a source whose ranges have another value of one header. An empty value stands for no
// header.
func rangeHas(name, header, value string) rangeRow {
	return rangeRow{
		name: name, status: http.StatusPartialContent, header: map[string]string{header: value}, ranged: onceMore,
		serve: onRange(func(_ *visit, r *reply) { set(header, value)(r) }),
	}
}

// rangeSays is a source whose ranges have a Content-Range with this total.
func rangeSays(name, total string) rangeRow {
	return rangeRow{
		name: name, status: http.StatusPartialContent, ranged: onceMore,
		header: map[string]string{"Content-Range": "bytes 0-99/" + total},
		serve: onRange(func(_ *visit, r *reply) {
			span, _, _ := strings.Cut(r.header.Get("Content-Range"), "/")
			r.header.Set("Content-Range", span+"/"+total)
		}),
	}
}

// plainOnly is a source whose first GET shows that it has no usable ranges.
func plainOnly(name, header, value string) rangeRow {
	return rangeRow{
		name: name, status: http.StatusPartialContent, ranged: exactly(0), serve: edit(func(v *visit, r *reply) {
			if !v.ranged {
				set(header, value)(r)
			}
		}),
	}
}

// rangeRows are large sources.
func rangeRows() []sourceRow {
	table := slices.Concat(wholeRows(), []rangeRow{
		rangeHas("ranges: no Content-Range", "Content-Range", ""),
		rangeHas("ranges: another Content-Range", "Content-Range", fmt.Sprintf("bytes 7-106/%d", large)),
		rangeSays("ranges: Content-Range with /*", "*"),
		rangeSays("ranges: another total", strconv.Itoa(2*large)),
		rangeHas("ranges: another ETag", "ETag", `"y"`),
		rangeHas("ranges: a weak ETag", "ETag", `W/"x"`),
		rangeHas("ranges: no ETag", "ETag", ""),
		rangeHas("ranges: \"x-gzip\", GET: \"x\"", "ETag", `"x-gzip"`),
		rangeHas("ranges: a content coding", "Content-Encoding", "gzip"),
		plainOnly("GET: a weak ETag, ranges: a strong ETag", "ETag", `W/"x"`),
		plainOnly("GET: no ETag, ranges: a strong ETag", "ETag", ""),
		plainOnly("GET: an ETag without quotes, large", "ETag", "x"),
		plainOnly("GET: no Accept-Ranges, large", "Accept-Ranges", ""),
		plainOnly("GET: no Content-Length, large", "Content-Length", ""),
		{name: "an ordinary source, large", status: 206, plain: exactly(1), ranged: exactly(parts)},
	})
	for _, status := range []int{400, 401, 403, 404, 405, 408, 410, 412, 416, 425, 429, 500, 501, 502, 503, 504} {
		table = append(table, rangeRow{
			name: fmt.Sprintf("ranges: status %d", status), status: status, ranged: onceMore,
			serve: onRange(func(_ *visit, r *reply) { *r = *refusal(status) }),
		})
	}
	rows := make([]sourceRow, 0, len(table))
	for _, r := range table {
		row := sourceRow{
			name: r.name, size: large, serve: r.serve,
			proofs: []proof{{args: []string{"--range", "0-99"}, exit: r.exit, status: r.status, header: r.header}},
		}
		row.seen.plain, row.seen.ranged = r.plain, r.ranged
		if !r.plain.given {
			row.seen.plain = exactly(2)
		}
		rows = append(rows, row)
	}
	return append(rows, busyRows()...)
}

// wholeRows are sources whose ranges have other bytes than a range.
func wholeRows() []rangeRow {
	return []rangeRow{
		{name: "ranges: 200 with everything", status: 200, ranged: atOnce, serve: onRange(func(v *visit, r *reply) {
			r.status, r.body = http.StatusOK, v.d.body
			set("Content-Length", strconv.Itoa(large))(r)
			set("Content-Range", "")(r)
		})},
		{name: "ranges: 200 in chunks", status: 200, ranged: atOnce, serve: onRange(func(v *visit, r *reply) {
			r.status, r.body = http.StatusOK, v.d.body
			set("Content-Length", "")(r)
			set("Content-Range", "")(r)
		})},
		{
			name: "ranges: 206 with everything", status: 206, ranged: onceMore,
			header: map[string]string{"Content-Length": strconv.Itoa(large)},
			serve: onRange(func(v *visit, r *reply) {
				r.body = v.d.body
				set("Content-Length", strconv.Itoa(large))(r)
				set("Content-Range", fmt.Sprintf("bytes 0-%d/%d", large-1, large))(r)
			}),
		},
		{
			name: "ranges: multipart/byteranges", status: 206, ranged: onceMore,
			header: map[string]string{"Content-Type": "multipart/byteranges; boundary=x", "Content-Range": ""},
			serve: onRange(func(_ *visit, r *reply) {
				set("Content-Type", "multipart/byteranges; boundary=x")(r)
				set("Content-Range", "")(r)
			}),
		},
		{
			name: "ranges: the body ends early", status: 206, ranged: between(1, 4*parts), exit: curlTruncated,
			serve: onRange(func(_ *visit, r *reply) { r.body = r.body[:len(r.body)-1] }),
		},
		{
			name: "ranges: another ETag from each edge", status: 206, plain: twice, ranged: onceMore,
			header: map[string]string{"ETag": `"x-1"`},
			serve:  edit(func(v *visit, r *reply) { set("ETag", `"x-`+v.edge()+`"`)(r) }),
		},
		{name: "ranges: the connection is reset", exit: curlReceive, ranged: onceMore, serve: func(v *visit) {
			if v.ranged {
				v.reset()
				return
			}
			v.send(v.ordinary())
		}},
	}
}

// busyRows are large sources that limit requests in flight, or that change.
func busyRows() []sourceRow {
	// atMost answers further requests in flight in another way.
	atMost := func(limit int, otherwise func(v *visit)) func(*visit) {
		return func(v *visit) {
			if v.d.inFlight() > limit {
				otherwise(v)
				return
			}
			v.send(v.ordinary())
		}
	}
	status := func(code int) func(*visit) { return func(v *visit) { v.send(refusal(code)) } }
	var rows []sourceRow
	add := func(row sourceRow, plain, ranged span) {
		row.size = large
		row.seen.plain, row.seen.ranged = plain, ranged
		rows = append(rows, row)
	}
	// Each refusal costs one request more. The double may refuse all ranges while it is still busy
	// with the first GET. One stream then makes the copy.
	served := between(parts, 3*parts)
	for _, code := range []int{403, 429, 503} {
		add(sourceRow{name: fmt.Sprintf("ranges: one request at a time, %d", code), serve: atMost(1, status(code))},
			between(1, 2), served)
	}
	add(sourceRow{name: "ranges: one request at a time, reset", serve: atMost(1, (*visit).reset)}, between(1, 2), served)
	add(sourceRow{name: "ranges: two requests at a time, 503", serve: atMost(2, status(503))}, between(1, 2), served)
	// The double counts only the connections that it admits.
	for i, name := range []string{"ranges: one connection only", "ranges: two connections only"} {
		add(sourceRow{name: name, maxConns: i + 1, oneShot: true}, between(1, 2), between(parts, 2*parts))
	}
	return append(rows, changingRows()...)
}

// changingRows are large sources that answer some requests in another way.
func changingRows() []sourceRow {
	late := sourceRow{
		name: "ranges: 503 and Retry-After: 120", serve: onRange(func(_ *visit, r *reply) {
			*r = *refusal(http.StatusServiceUnavailable)
			set("Retry-After", "120")(r)
		}),
		proofs: []proof{{args: []string{"--range", "0-99"}, status: 503, header: map[string]string{"Retry-After": "120"}}},
	}
	late.seen.plain, late.seen.ranged = exactly(2), onceMore
	// A conditional request is not what a plain client sends.
	conditional := sourceRow{
		name: "412 to every condition", proofs: []proof{{args: []string{"--header", `If-Match: "x"`}, status: 412}},
		serve: edit(func(v *visit, r *reply) {
			if v.r.Header.Get("If-Match")+v.r.Header.Get("If-Range") != "" {
				*r = *refusal(http.StatusPreconditionFailed)
			}
		}),
	}
	conditional.seen.ranged = exactly(parts)
	changes := sourceRow{
		name:   "the object changes after the first GET",
		proofs: []proof{{args: []string{"--range", "0-99"}, status: 206, header: map[string]string{"ETag": `"new"`}}},
		serve: edit(func(v *visit, r *reply) {
			if v.ranged || v.n > 1 {
				set("ETag", `"new"`)(r)
			}
		}),
	}
	changes.seen.plain, changes.seen.ranged = twice, between(1, 3*parts)
	rows := []sourceRow{late, conditional, changes}
	for _, once := range []struct {
		name   string
		change func(r *reply)
	}{
		{"503", func(r *reply) { *r = *refusal(503) }},
		{"404", func(r *reply) { *r = *refusal(404) }},
		{"another Content-Range", set("Content-Range", fmt.Sprintf("bytes 7-106/%d", large))},
	} {
		row := sourceRow{name: "ranges: the third has " + once.name, serve: onRange(func(v *visit, r *reply) {
			if v.n == 3 {
				once.change(r)
			}
		})}
		row.seen.ranged = exactly(parts + 1)
		if once.name == "another Content-Range" { // Not a matter of the number of requests
			row.seen.plain, row.seen.ranged = exactly(2), between(3, parts)
		}
		rows = append(rows, row)
	}
	for i := range rows {
		rows[i].size = large
	}
	return rows
}
