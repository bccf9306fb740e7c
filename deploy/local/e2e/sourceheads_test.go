package e2e

import (
	"fmt"
	"net/http"
	"strconv"
)

// edit changes the ordinary replies to all requests.
func edit(change func(v *visit, r *reply)) func(*visit) {
	return func(v *visit) {
		r := v.ordinary()
		change(v, r)
		v.send(r)
	}
}

// onHead changes the replies to HEADs.
func onHead(change func(r *reply)) func(*visit) {
	return edit(func(v *visit, r *reply) {
		if v.method == http.MethodHead {
			change(r)
		}
	})
}

// onGet changes the replies to GETs.
func onGet(change func(r *reply)) func(*visit) {
	return edit(func(v *visit, r *reply) {
		if v.method == http.MethodGet {
			change(r)
		}
	})
}

// onRange changes the replies to ranges.
func onRange(change func(v *visit, r *reply)) func(*visit) {
	return edit(func(v *visit, r *reply) {
		if v.ranged {
			change(v, r)
		}
	})
}

// set returns a change of one header. An empty value removes it.
func set(name, value string) func(*reply) {
	return func(r *reply) {
		if value == "" {
			r.header.Del(name)
			return
		}
		r.header.Set(name, value)
	}
}

// byHead answers HEADs in one way, and GETs in the ordinary way.
func byHead(answer func(v *visit)) func(*visit) {
	return func(v *visit) {
		if v.method == http.MethodHead {
			answer(v)
			return
		}
		v.send(v.ordinary())
	}
}

// curlHead is a proof by a HEAD.
func curlHead(status int, header map[string]string) []proof {
	return []proof{{args: []string{"--head"}, status: status, header: header}}
}

// headHas is a source whose HEAD has another value of one header. An empty value stands for no
// header.
func headHas(name, header, value string) sourceRow {
	return sourceRow{
		name: name, serve: onHead(set(header, value)),
		proofs: curlHead(http.StatusOK, map[string]string{header: value}),
	}
}

// getHas is a source whose GETs have another value of one header than its HEADs.
func getHas(name, header, value, ofHead string) sourceRow {
	return sourceRow{
		name: name, serve: onGet(set(header, value)),
		proofs: curlHead(http.StatusOK, map[string]string{header: ofHead}),
	}
}

// headRows are sources whose HEAD says something else than their GET. The product sends no HEAD:
// each of them is copied by one GET.
func headRows() []sourceRow {
	var rows []sourceRow
	for status := 400; status <= 599; status++ {
		rows = append(rows, sourceRow{
			name: fmt.Sprintf("HEAD answers %d", status), proofs: curlHead(status, nil),
			serve: onHead(func(r *reply) { *r = *refusal(status) }),
		})
	}
	coded := getHas("GET: a content coding", "Content-Encoding", "gzip", "")
	coded.sent = map[string]string{"Content-Encoding": "gzip"}
	rows = append(rows,
		headHas("HEAD: Content-Length 0", "Content-Length", "0"),
		headHas("HEAD: another Content-Length", "Content-Length", "77"),
		headHas("HEAD: a huge Content-Length", "Content-Length", "123456789012"),
		headHas("HEAD: no Content-Length", "Content-Length", ""),
		headHas("HEAD: another Content-Type", "Content-Type", "text/html"),
		headHas("HEAD: another Content-Disposition", "Content-Disposition", "inline"),
		headHas("HEAD: another Content-Language", "Content-Language", "fr"),
		headHas("HEAD: another ETag", "ETag", `"y"`),
		headHas("HEAD: a weak ETag", "ETag", `W/"x"`),
		headHas("HEAD: no ETag", "ETag", ""),
		headHas("HEAD: \"x-gzip\", GET: \"x\"", "ETag", `"x-gzip"`),
		headHas("HEAD: a content coding", "Content-Encoding", "gzip"),
		headHas("HEAD: a wrong digest", "Content-MD5", "AAAAAAAAAAAAAAAAAAAAAA=="),
		getHas("GET: a weak ETag", "ETag", `W/"x"`, `"x"`),
		getHas("GET: no ETag", "ETag", "", `"x"`),
		getHas("GET: \"x-gzip\", HEAD: \"x\"", "ETag", `"x-gzip"`, `"x"`),
		getHas("GET: no ranges, HEAD: ranges", "Accept-Ranges", "none", "bytes"),
		coded,
	)
	return append(append(rows, brokenHeadRows()...), controlRows()...)
}

// brokenHeadRows are sources whose HEAD gets no usable answer.
func brokenHeadRows() []sourceRow {
	fails := func(name string, exit int, answer func(v *visit)) sourceRow {
		return sourceRow{
			name: name, serve: byHead(answer), proofs: []proof{{args: []string{"--head", "--max-time", "0.5"}, exit: exit}},
		}
	}
	return []sourceRow{
		fails("HEAD hangs", curlTimeout, (*visit).hang),
		fails("HEAD is reset", curlReceive, (*visit).reset),
		fails("HEAD is not HTTP", curlProtocol, func(v *visit) { v.raw([]byte("SSH-2.0-x\r\n")) }),
		{name: "HEAD redirects to a login page", proofs: curlHead(http.StatusFound, nil), serve: byHead(func(v *visit) {
			r := refusal(http.StatusFound)
			r.header.Set("Location", "http://"+v.d.addr+"/login")
			v.send(r)
		})},
		{
			name: "HEAD: two Content-Lengths", proofs: curlHead(http.StatusOK, map[string]string{"Content-Length": "5, 6"}),
			serve: byHead(func(v *visit) {
				v.raw(rawHead("HTTP/1.1 200 OK", "Content-Length: 5", "Content-Length: 6"))
			}),
		},
	}
}

// controlRows are ordinary sources, and sources behind several edges of a network. Each request
// reaches another edge, whose ETag has its own suffix.
func controlRows() []sourceRow {
	rows := []sourceRow{
		{name: "an ordinary source", proofs: []proof{
			{args: []string{"--head"}, status: 200, header: map[string]string{"ETag": `"x"`, "Accept-Ranges": "bytes"}},
			{args: []string{"--range", "0-99"}, status: 206, header: map[string]string{"Content-Length": "100", "ETag": `"x"`}},
		}},
		{
			name: "another ETag from each edge", proofs: curlHead(http.StatusOK, map[string]string{"ETag": `"x-1"`}),
			serve: edit(func(v *visit, r *reply) { r.header.Set("ETag", `"x-`+v.edge()+`"`) }),
		},
		{
			name: "HEAD: another ETag and Content-Length, large", size: large,
			proofs: curlHead(http.StatusOK, map[string]string{"ETag": `"y"`, "Content-Length": "5"}),
			serve: onHead(func(r *reply) {
				set("ETag", `"y"`)(r)
				set("Content-Length", "5")(r)
			}),
		},
	}
	rows[2].seen.ranged = exactly(parts)
	return rows
}

// edge returns the number of the request, of any kind.
func (v *visit) edge() string {
	c, _ := v.d.seen()
	return strconv.Itoa(c.heads + c.plain + c.ranged)
}
