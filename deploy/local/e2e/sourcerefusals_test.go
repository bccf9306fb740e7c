package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// downFor is how long the first GET of a source that is down is repeated, about.
const downFor = 20 * time.Second

// headTimeout is the default of source.timeout.
const headTimeout = 10 * time.Second

// firstGets answers the first n GETs in one way, and everything else in the ordinary way.
func firstGets(n int, answer func(v *visit)) func(*visit) {
	return func(v *visit) {
		if v.method == http.MethodGet && v.n <= n {
			answer(v)
			return
		}
		v.send(v.ordinary())
	}
}

// allGets answers all GETs in one way.
func allGets(answer func(v *visit)) func(*visit) { return firstGets(1<<30, answer) }

// withStatus answers with a status, and a Retry-After unless it is empty.
func withStatus(status int, retryAfter string) func(*visit) {
	return func(v *visit) {
		r := refusal(status)
		if retryAfter != "" {
			r.header.Set("Retry-After", retryAfter)
		}
		v.send(r)
	}
}

// inSeconds sends an HTTP date as Retry-After.
func inSeconds(status, seconds int) func(*visit) {
	return func(v *visit) {
		now := time.Now().UTC()
		v.w.Header().Set("Date", now.Format(http.TimeFormat))
		withStatus(status, now.Add(time.Duration(seconds)*time.Second).Format(http.TimeFormat))(v)
	}
}

// refusalRows are sources that refuse a plain GET.
func refusalRows() []sourceRow {
	var rows []sourceRow
	answers := func(status int) sourceRow {
		row := sourceRow{name: fmt.Sprintf("GET answers %d", status), want: toSource()}
		row.serve, row.curl.status = allGets(withStatus(status, "")), status
		return row
	}
	for status := 400; status <= 451; status++ {
		row := answers(status)
		switch status {
		case 404, 410:
			row.want = sourceStatus(status)
		case 408, 425, 429:
			row.after, row.waits, row.seen.plain = downFor, true, between(3, 8)
		}
		if status <= 418 || slices.Contains([]int{421, 422, 425, 429, 451}, status) {
			rows = append(rows, row)
		}
	}
	for _, status := range []int{500, 502, 503, 504, 520, 599} {
		row := answers(status)
		row.after, row.waits, row.seen.plain = downFor, true, between(3, 8)
		rows = append(rows, row)
	}
	for _, status := range []int{408, 425, 429, 500, 502, 503, 504} {
		rows = append(rows, recovering(fmt.Sprintf("GET recovers from %d", status), 2, withStatus(status, "")))
	}
	return slices.Concat(rows, connectionRows(), retryAfterRows(), authorityRows(), statusRows())
}

// recovering is a source whose first GETs fail.
func recovering(name string, n int, answer func(v *visit)) sourceRow {
	row := sourceRow{name: name, serve: firstGets(n, answer), failing: n}
	row.after, row.waits, row.seen.plain = shapeDelay, true, exactly(n+1)
	return row
}

// connectionRows are sources whose connections fail.
func connectionRows() []sourceRow {
	down := func(name string, exit int, serve func(*visit)) sourceRow {
		row := sourceRow{name: name, serve: serve, want: toSource(), after: downFor, waits: true}
		row.curl.exit = exit
		row.seen.plain = between(2, 8)
		return row
	}
	refused := down("the connection is refused", curlRefused, nil)
	refused.deaf, refused.seen.plain = true, exactly(0)
	hangs := down("GET hangs", curlTimeout, allGets((*visit).hang))
	hangs.curl.patience = time.Second
	hangs.after = 2*headTimeout + 500*time.Millisecond
	return []sourceRow{
		refused,
		hangs,
		down("GET is reset", curlReceive, allGets((*visit).reset)),
		down("GET gets no answer", curlNoResponse, allGets(func(v *visit) { v.raw() })),
		recovering("GET recovers from a reset", 1, (*visit).reset),
		recovering("GET recovers from no answer", 1, func(v *visit) { v.raw() }),
		recovering("GET recovers from half a head", 1, func(v *visit) { v.raw([]byte("HTTP/1.1 200 OK\r\nContent-")) }),
	}
}

// retryAfterRows are sources that say when to come back.
func retryAfterRows() []sourceRow {
	soon := func(name string, answer func(*visit), notBefore time.Duration) sourceRow {
		row := recovering(name, 1, answer)
		row.notBefore, row.after = notBefore, 3*time.Second
		return row
	}
	late := func(name string, status int, serve func(*visit)) sourceRow {
		row := sourceRow{name: name, serve: serve, want: toSource(), proofs: []proof{{status: status}}}
		row.curl.status = status
		return row
	}
	const day = 24 * 60 * 60
	// It is longer than a client waits. Once it has passed, the next client starts a copy.
	passes := sourceRow{name: "503 with Retry-After: 35, once", failing: 1, want: toSource(), waits: true}
	passes.serve = firstGets(1, withStatus(503, "35"))
	passes.later = func(t *testing.T, d *double, ask func() answer) {
		d.mu.Lock()
		first := d.arrived[0]
		d.mu.Unlock()
		var last answer
		eventually(t, func() bool {
			last = ask()
			return last.isCopy() || last.took > sixthLimit
		}, "a copy after Retry-After")
		require.True(t, last.isCopy(), "a client waited %s, until %s after the first GET", last.took, time.Since(first))
		require.GreaterOrEqual(t, time.Since(first), 35*time.Second)
	}
	return []sourceRow{
		passes,
		soon("503 with Retry-After: 3", withStatus(503, "3"), 3*time.Second),
		soon("429 with Retry-After: 3", withStatus(429, "3"), 3*time.Second),
		soon("503 with a date as Retry-After, in 3 s", inSeconds(503, 3), 2*time.Second), // Dates have whole seconds
		soon("503 with a Retry-After that does not parse", withStatus(503, "soon"), 0),
		soon("503 with a date as Retry-After, in the past", inSeconds(503, -day), 0),
		late("503 with Retry-After: 120", 503, allGets(withStatus(503, "120"))),
		late("429 with Retry-After: 120", 429, allGets(withStatus(429, "120"))),
		late("503 with a date as Retry-After, in a day", 503, allGets(inSeconds(503, day))),
	}
}

// authorityRows are statuses of a host whose every 4xx counts.
func authorityRows() []sourceRow {
	listed := sourceRow{name: "403 from a host of source.authoritative_4xx", authority: true, want: sourceStatus(403)}
	listed.serve, listed.curl.status = allGets(withStatus(403, "")), 403
	return []sourceRow{listed}
}

// statusRows are successful statuses that are not 200.
func statusRows() []sourceRow {
	var rows []sourceRow
	for _, status := range []int{201, 203, 204, 205, 206, 226, 304} {
		row := sourceRow{name: fmt.Sprintf("GET answers %d", status), want: toSource(), after: shapeDelay, waits: true}
		row.serve = onGet(func(r *reply) {
			r.status = status
			if status == 204 || status == 205 || status == 304 {
				*r = reply{status: status, header: http.Header{"Content-Length": {"0"}}}
			}
		})
		row.curl.status = status
		row.seen.plain = between(1, 4)
		rows = append(rows, row)
	}
	return rows
}
