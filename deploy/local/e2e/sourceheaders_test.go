package e2e

import (
	"bytes"
	"compress/gzip"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"
)

// headerRows are sources with unusual headers of a plain GET.
func headerRows() []sourceRow {
	return append(dispositionRows(), append(contentRows(), filterRows()...)...)
}

// withHeader is a row whose GET has another Content-* header.
func withHeader(name, header, value string) sourceRow {
	return sourceRow{
		name: name, serve: edit(func(_ *visit, r *reply) { set(header, value)(r) }), sent: map[string]string{header: value},
	}
}

// sameName compares two Content-Dispositions: the source's has raw bytes, and the copy's is ASCII
// with the same type and file name.
func sameName(kind, name string) func(sent, got string) bool {
	return func(sent, got string) bool {
		gotKind, params, err := mime.ParseMediaType(got)
		ascii := !strings.ContainsFunc(got, func(r rune) bool { return r >= utf8.RuneSelf })
		extended := strings.Contains(got, "filename*=") && got != sent
		return err == nil && ascii && extended && gotKind == kind && params["filename"] == name
	}
}

// leftOut is the comparison for a header that the copy must not have. S3 puts its own type in place
// of a missing Content-Type.
func leftOut(_, got string) bool {
	return got == "" || got == "application/octet-stream" || got == "binary/octet-stream"
}

// dispositionRows are file names that S3 does not store as they are, and some that it does.
func dispositionRows() []sourceRow {
	const name = "Content-Disposition"
	var rows []sourceRow
	for _, n := range []struct{ name, kind, sent, file string }{
		{"a name in raw UTF-8", "attachment", "filename=\"na\u00efve \u65e5\u672c.bin\"", "na\u00efve \u65e5\u672c.bin"},
		{"a name in raw UTF-8 beyond 16 bits", "attachment", "filename=\"\U0001F600.bin\"", "\U0001F600.bin"},
		{"a name in raw UTF-8, inline", "inline", "filename=\"\u00fc.pdf\"", "\u00fc.pdf"},
		{"a name in raw UTF-8 without quotes", "attachment", "filename=\u00fc.bin", "\u00fc.bin"},
		{"a name in raw UTF-8 with escaped quotes", "attachment", "filename=\"\\\"\u00fc\\\".bin\"", "\"\u00fc\".bin"},
		{"a name in raw UTF-8 with a percent sign", "attachment", "filename=\"100%41 \u00fc.bin\"", "100%41 \u00fc.bin"},
		{"a name in Latin-1", "attachment", "filename=\"na\xefve.bin\"", "na\u00efve.bin"},
		{"a name in Latin-1 without quotes", "attachment", "filename=\xfc.bin", "\u00fc.bin"},
		{"a name in raw UTF-8 and RFC 8187", "inline", "filename=\"\u00fc.bin\"; filename*=UTF-8''%C3%BC.bin", "\u00fc.bin"},
	} {
		row := withHeader(n.name, name, n.kind+"; "+n.sent)
		row.kept = map[string]func(string, string) bool{name: sameName(n.kind, n.file)}
		rows = append(rows, row)
	}
	for _, n := range []struct{ name, sent string }{
		{"a name in RFC 8187", "attachment; filename*=UTF-8''na%C3%AFve.bin"},
		{"a name in RFC 8187 and in ASCII", "attachment; filename=\"naive.bin\"; filename*=UTF-8''na%C3%AFve.bin"},
		{"a name in RFC 8187 in Latin-1", "attachment; filename*=iso-8859-1'en'na%EFve.bin"},
		{"a name in RFC 2047", "attachment; filename=\"=?UTF-8?Q?na=C3=AFve.bin?=\""},
		{"a name without quotes and with spaces", "attachment; filename=a b c.bin"},
		{"a Content-Disposition that does not parse", "attachment; filename=\"a;;=\"b"},
	} {
		rows = append(rows, withHeader(n.name, name, n.sent))
	}
	for _, n := range []struct{ name, sent string }{
		{"a Content-Disposition with raw UTF-8 that does not parse", "\u00fc;;=\"\u00fc"},
		{"a Content-Disposition above 1 KiB", "attachment; filename=\"" + strings.Repeat("a", 2000) + ".bin\""},
	} {
		row := withHeader(n.name, name, n.sent)
		row.kept = map[string]func(string, string) bool{name: leftOut}
		rows = append(rows, row)
	}
	return rows
}

// contentRows are types, languages and codings.
func contentRows() []sourceRow {
	rows := []sourceRow{
		withHeader("a Content-Type with parameters", "Content-Type", `text/html; charset="utf-8"; x=1`),
		withHeader("a Content-Type that does not parse", "Content-Type", "text/;html"),
		withHeader("no Content-Type", "Content-Type", ""),
		withHeader("a coding that clients don't know", "Content-Encoding", "x-unknown"),
		withHeader("the coding identity", "Content-Encoding", "identity"),
		withHeader("two codings in one line", "Content-Encoding", "gzip, br"),
		withHeader("no Content-Disposition and no Content-Language", "Content-Disposition", ""),
	}
	last := &rows[len(rows)-1]
	last.sent["Content-Language"] = ""
	last.serve = edit(func(_ *visit, r *reply) {
		r.header.Del("Content-Disposition")
		r.header.Del("Content-Language")
	})
	raw := withHeader("a Content-Type in raw UTF-8", "Content-Type", "text/pl\u00e4in")
	raw.kept = map[string]func(string, string) bool{"Content-Type": leftOut}
	language := withHeader("a Content-Language in Latin-1", "Content-Language", "d\xe9")
	language.kept = map[string]func(string, string) bool{"Content-Language": leftOut}
	lines := sourceRow{name: "two lines of Content-Language", serve: edit(func(_ *visit, r *reply) {
		r.header["Content-Language"] = []string{"de", "en-GB"}
	}), sent: map[string]string{"Content-Language": "de, en-GB"}}
	return append(append(rows, raw, language, lines), gzipRows()...)
}

// gzipRows are tarballs that are labelled as encoded. A copy that is decoded has other bytes.
func gzipRows() []sourceRow {
	tarball := edit(func(_ *visit, r *reply) {
		r.header.Set("Content-Type", "application/x-tar")
		r.header.Set("Content-Encoding", "gzip")
	})
	sent := map[string]string{"Content-Type": "application/x-tar", "Content-Encoding": "gzip"}
	// Every server of this kind sends identity to clients that request it, and gzip to others.
	negotiated := sourceRow{name: "gzip unless identity is requested", serve: func(v *visit) {
		if accept := v.r.Header.Get("Accept-Encoding"); accept == "identity" || accept == "" {
			v.send(v.ordinary())
			return
		}
		body := gzipped(v.d.body)
		v.send(&reply{status: 200, body: body, header: http.Header{
			"Content-Encoding": {"gzip"}, "Content-Length": {strconv.Itoa(len(body))},
		}})
	}, proofs: []proof{
		{args: []string{"--compressed"}, status: 200, header: map[string]string{"Content-Encoding": "gzip"}},
	}}
	rows := []sourceRow{
		{name: "a gzip tarball labelled as encoded", encode: gzipped, serve: tarball, sent: sent},
		{name: "a gzip tarball labelled as encoded, large", size: large - mib, encode: gzipped, serve: tarball, sent: sent},
		negotiated,
	}
	rows[1].seen.ranged = exactly(parts)
	return rows
}

// gzipped compresses random bytes. The result is a little longer than they are.
func gzipped(body []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(body)
	_ = w.Close()
	return b.Bytes()
}

// only serves requests that pass, and answers others with a status. The proof is a curl with these
// arguments and its status.
func only(name string, pass func(h http.Header) bool, otherwise int, proofArgs []string, proofStatus int) sourceRow {
	return sourceRow{name: name, proofs: []proof{{args: proofArgs, status: proofStatus}}, serve: func(v *visit) {
		if pass(v.r.Header) {
			v.send(v.ordinary())
			return
		}
		v.send(refusal(otherwise))
	}}
}

// filterRows are sources that choose their clients by headers.
func filterRows() []sourceRow {
	curlOnly := func(h http.Header) bool { return strings.HasPrefix(h.Get("User-Agent"), "curl/") }
	ours := func(h http.Header) bool { return h.Get("User-Agent") == agent }
	browser := func(h http.Header) bool { return strings.HasPrefix(h.Get("User-Agent"), "Mozilla/") }
	cookie := func(h http.Header) bool { return h.Get("Cookie") != "" }
	asAgent := func(name string) []string { return []string{"--user-agent", name} }
	withCookie := []string{"--cookie", "session=1"}
	rows := []sourceRow{
		only("User-Agent: libraries get 403", func(h http.Header) bool {
			name := h.Get("User-Agent")
			return name != "" && !strings.HasPrefix(name, "Go-http-client") && !strings.HasPrefix(name, "python")
		}, 403, asAgent("Go-http-client/1.1"), 403),
		only("User-Agent: only the configured one and curl", func(h http.Header) bool {
			return ours(h) || curlOnly(h)
		}, 403, asAgent("cloud-mirror/1"), 403),
		only("406 unless Accept is */*", func(h http.Header) bool {
			return h.Get("Accept") == "*/*"
		}, 406, []string{"--header", "Accept: text/html"}, 406),
		only("a cookie is not tolerated", func(h http.Header) bool { return !cookie(h) }, 400, withCookie, 400),
		{name: "a cookie is set", serve: edit(func(_ *visit, r *reply) { r.header.Set("Set-Cookie", "session=1") })},
	}
	// The client may be more welcome than the product.
	rejected := []sourceRow{
		only("User-Agent: only curl", curlOnly, 403, asAgent(agent), 403),
		only("User-Agent: only browsers", browser, 403, asAgent("Mozilla/5.0"), 200),
		only("a cookie is needed", cookie, 401, withCookie, 200),
	}
	for i, status := range []int{200, 403, 401} {
		rejected[i].want, rejected[i].curl.status = toSource(), status
	}
	return append(rows, rejected...)
}
