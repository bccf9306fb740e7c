package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// redirect answers a hop with a redirect, and everything else in the ordinary way.
func redirect(status int, location func(v *visit) string) func(*visit) {
	return redirectThen(status, location, func(v *visit) { v.send(v.ordinary()) })
}

func redirectThen(status int, location func(v *visit) string, final func(*visit)) func(*visit) {
	return func(v *visit) {
		if !v.hop {
			final(v)
			return
		}
		r := refusal(status)
		if to := location(v); to != "" {
			r.header.Set("Location", to)
		}
		v.send(r)
	}
}

// to is a Location.
func to(location string) func(*visit) string { return func(*visit) string { return location } }

// signed is a Location with a signature that differs for each request.
func signed(v *visit) string {
	return fmt.Sprintf("/final/file.bin?sig=%s-%s-%d", secret, v.edgeHop(), v.n)
}

// edgeHop tells the signatures of HEADs, GETs and ranges apart.
func (v *visit) edgeHop() string {
	if v.ranged {
		return v.method + "-ranged"
	}
	return v.method
}

// redirectRows are sources that redirect.
func redirectRows() []sourceRow {
	var rows []sourceRow
	add := func(name string, serve func(*visit), hops span) *sourceRow {
		rows = append(rows, sourceRow{name: name, hop: true, serve: serve})
		row := &rows[len(rows)-1]
		row.seen.hops = hops
		return row
	}
	for _, status := range []int{301, 302, 303, 307, 308} {
		add(fmt.Sprintf("redirect by %d", status), redirect(status, to("/final/file.bin")), exactly(1))
	}
	add("redirect to a URL with raw UTF-8, space and fragment", redirect(302, to("/final/\u00fc file.bin#x")), exactly(1))
	add("redirect to //host", redirect(302, func(v *visit) string { return "//" + v.d.addr + "/final/a" }), exactly(1))
	add("redirect to a query only", func(v *visit) {
		if v.r.URL.Query().Has("again") {
			v.send(v.ordinary())
			return
		}
		redirect(302, to("?again"))(v)
	}, exactly(2)).seen.plain = exactly(0)
	add("30 redirects", redirect(302, chain(30)), exactly(30))
	tooMany := add("31 redirects", redirect(302, chain(31)), between(30, 32))
	tooMany.want, tooMany.seen.plain = toSource(), between(0, 0)
	rows = append(rows, loopRows()...)
	rows = append(rows, signatureRows()...)
	return append(rows, locationRows()...)
}

// chain redirects from /hop/1 to /hop/n and then to the object.
func chain(n int) func(*visit) string {
	return func(v *visit) string {
		var at int
		_, _ = fmt.Sscanf(v.r.URL.Path, "/hop/%d", &at)
		if at == n {
			return "/final/file.bin"
		}
		return fmt.Sprintf("/hop/%d", at+1)
	}
}

func loopRows() []sourceRow {
	loop := sourceRow{name: "a redirect loop", hop: true, want: toSource(), serve: redirect(302, func(v *visit) string {
		return "/hop/" + map[bool]string{true: "2", false: "1"}[strings.HasSuffix(v.r.URL.Path, "1")]
	})}
	loop.curl.exit, loop.curl.status = curlRedirects, 302
	loop.seen.hops, loop.seen.plain = between(2, 31), between(0, 0)
	next := func(v *visit) string { return fmt.Sprintf("/hop/%d?sig=%s", v.n+1, secret) }
	endless := sourceRow{name: "endless redirects", hop: true, want: toSource(), serve: redirect(302, next)}
	endless.curl.exit, endless.curl.status = curlRedirects, 302
	endless.seen.hops, endless.seen.plain = between(30, 32), between(0, 0)
	cookie := sourceRow{name: "a redirect to itself sets a cookie", hop: true, want: toSource(), serve: func(v *visit) {
		if v.r.Header.Get("Cookie") != "" {
			v.send(v.ordinary())
			return
		}
		r := refusal(302)
		r.header.Set("Location", v.r.RequestURI)
		r.header.Set("Set-Cookie", "session=1")
		v.send(r)
	}, proofs: []proof{{args: []string{"--location", "--cookie", "x=1"}, status: 200}}}
	cookie.curl.exit, cookie.curl.status = curlRedirects, 302
	cookie.seen.hops, cookie.seen.plain = between(1, 31), between(0, 0)
	return []sourceRow{loop, endless, cookie}
}

// signatureRows are sources that redirect to signed URLs.
func signatureRows() []sourceRow {
	once := func(v *visit) {
		if !v.d.use(v.r.URL.RawQuery) {
			v.send(refusal(http.StatusForbidden))
			return
		}
		v.send(v.ordinary())
	}
	getOnly := func(v *visit) {
		if v.method != http.MethodGet {
			v.send(refusal(http.StatusForbidden))
			return
		}
		v.send(v.ordinary())
	}
	withoutRange := func(v *visit) {
		if v.ranged {
			v.send(refusal(http.StatusForbidden))
			return
		}
		getOnly(v)
	}
	get := []proof{{args: []string{"--location", "--head"}, status: 403}}
	byGet, byPlainGet := redirectThen(302, signed, getOnly), redirectThen(302, signed, withoutRange)
	rows := []sourceRow{
		{name: "redirect to a signed URL that is valid once", serve: redirectThen(302, signed, once)},
		{name: "redirect to a signed URL that is valid once, large", size: large, serve: redirectThen(302, signed, once)},
		{name: "redirect to a URL that is signed for GET only", serve: byGet, proofs: get},
		{name: "redirect to a URL that is signed for GET only, large", size: large, serve: byGet, proofs: get},
		{name: "redirect to a URL that is signed without Range, large", size: large, serve: byPlainGet, proofs: get},
		{name: "redirect of HEADs fails", serve: func(v *visit) {
			if v.method == http.MethodHead {
				v.send(refusal(http.StatusNotFound))
				return
			}
			redirect(302, signed)(v)
		}, proofs: []proof{{args: []string{"--head"}, status: 404}}},
	}
	for i := range rows {
		row := &rows[i]
		row.hop, row.seen.hops = true, exactly(1)
		if row.size == large {
			row.seen.hops, row.seen.ranged = exactly(1+parts), exactly(parts)
		}
	}
	stream := &rows[4]
	stream.seen.hops, stream.seen.plain, stream.seen.ranged = between(4, 2+3*parts), exactly(2), onceMore
	return rows
}

// locationRows are redirects that lead to no copy.
func locationRows() []sourceRow {
	// status is that of a hop that curl does not follow.
	row := func(name string, serve func(*visit), status int) sourceRow {
		r := sourceRow{name: name, hop: true, serve: serve, want: toSource()}
		r.curl.status = status
		r.seen.hops, r.seen.plain = exactly(1), between(0, 0)
		return r
	}
	// The server of the double refuses the URL as well.
	bare := row("redirect to a URL with a bare %", redirect(302, to("/final/100%.bin")), 400)
	empty := row("redirect without Location", redirect(302, to("")), 302)
	empty.after, empty.waits, empty.seen.hops = shapeDelay, true, between(1, 4)
	// RFC 9110 names no next hop for 300, but curl follows it.
	choices := row("redirect by 300", redirect(300, to("/final/file.bin")), 0)
	choices.after, choices.waits, choices.seen.hops = shapeDelay, true, between(1, 4)
	// 0.0.0.0 is this machine, and not an allowed network.
	network := row("redirect to a network that is not allowed", redirect(302, func(v *visit) string {
		return "http://" + strings.Replace(v.d.addr, "127.0.0.1", "0.0.0.0", 1) + "/final/file.bin"
	}), 0)
	scheme := row("redirect to a scheme that is not allowed", redirect(302, to("ftp://127.0.0.1:1/x")), 302)
	scheme.curl.exit = curlRefused
	for _, r := range []*sourceRow{&network, &scheme} {
		r.want = answerKind{status: http.StatusForbidden, code: "InvalidUrl"}
	}
	return []sourceRow{bare, empty, choices, network, scheme}
}

// shapeDelay is the sum of the delays between four attempts.
const shapeDelay = 3500 * time.Millisecond

// outageDelay is the time in which the first request is repeated while the source fails.
const outageDelay = 15500 * time.Millisecond
