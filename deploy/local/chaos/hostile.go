package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/auditor"
	"github.com/cloud-mirror/cloud-mirror/deploy/local/stack"
)

// annoy is a hostile client.
func (c *chaos) annoy(ctx context.Context, number uint64) {
	r := rand.New(rand.NewPCG(c.seed, 200+number))
	deeds := []func(context.Context, *rand.Rand){c.readSlowly, c.leave, c.sendJunk, c.point, c.guess}
	for ctx.Err() == nil {
		deeds[r.IntN(len(deeds))](ctx, r)
		wait(ctx, time.Duration(r.Int64N(int64(thinking))))
	}
}

// dial opens a connection to a front end, which ends with ctx.
func (c *chaos) dial(ctx context.Context, r *rand.Rand) (conn net.Conn, release func(), ok bool) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", c.frontEnds[r.IntN(len(c.frontEnds))].Addr())
	if err != nil {
		return nil, nil, false
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	return conn, func() { stop(); _ = conn.Close() }, true
}

// readSlowly reads the answer a byte at a time, for some seconds.
func (c *chaos) readSlowly(ctx context.Context, r *rand.Rand) {
	conn, release, ok := c.dial(ctx, r)
	if !ok {
		return
	}
	defer release()
	_, _ = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", c.redirect(r, newZipf(r, c.objects).pick()).path)
	c.count("hostile: slow reader")
	for range 20 {
		if _, err := io.ReadFull(conn, make([]byte, 1)); err != nil {
			return
		}
		wait(ctx, 100*time.Millisecond)
	}
}

// leave disconnects while it waits for a copy.
func (c *chaos) leave(ctx context.Context, r *rand.Rand) {
	conn, release, ok := c.dial(ctx, r)
	if !ok {
		return
	}
	defer release()
	_, _ = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", c.redirect(r, c.objects[r.IntN(len(c.objects))]).path)
	c.count("hostile: leaves")
	wait(ctx, time.Duration(r.Int64N(int64(300*time.Millisecond))))
}

// sendJunk sends malformed requests, and reads a line at most.
func (c *chaos) sendJunk(ctx context.Context, r *rand.Rand) {
	conn, release, ok := c.dial(ctx, r)
	if !ok {
		return
	}
	defer release()
	junk := make([]byte, 2000)
	for i := range junk {
		junk[i] = byte(r.Uint32())
	}
	text := string(junk)
	switch r.IntN(4) {
	case 0:
		text = "GET /v1/ping HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /v1/"
	case 1:
		text = "GET /v1/redirect/s3/us-west-2/" + strings.Repeat("%2541", 10000) + " HTTP/1.1\r\nHost: x\r\n\r\n"
	case 2:
		text = "POST /v1/copies HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n{"
	}
	_ = conn.SetDeadline(time.Now().Add(2 * time.Second))
	_, _ = io.WriteString(conn, text)
	c.count("hostile: junk")
	if line, err := bufio.NewReader(conn).ReadString('\n'); err == nil && strings.Contains(line, " 500 ") {
		c.internal.Add(1)
	}
}

// canaryHosts returns ways to write the canary's address.
func canaryHosts() []string {
	return []string{
		canaryHost, "2143813633", "0x7fc80001", "0177.0310.0.1", "127.200.1", "[::ffff:127.200.0.1]", "[::ffff:7fc8:1]",
		canaryHost + ".", "user@" + canaryHost,
	}
}

// point names the canary, in a URL or in a message of the queue.
func (c *chaos) point(ctx context.Context, r *rand.Rand) {
	_, port, _ := net.SplitHostPort(c.canary.Addr())
	spellings := canaryHosts()
	target := "http://" + spellings[r.IntN(len(spellings))] + ":" + port + "/canary.bin"
	if r.IntN(3) == 0 {
		target = fmt.Sprintf("http://%s/away/%d", c.hosts[0], r.IntN(50))
	}
	region := stack.Regions()[r.IntN(len(stack.Regions()))]
	c.pointed.Add(1)
	if r.IntN(4) == 0 {
		body := fmt.Sprintf(`{"version":1,"data":{"id":"s3_%s","url":%q,"action":"put"}}`, region, target)
		switch r.IntN(4) {
		case 0:
			body = "{junk " + target
		case 1: // A query that no front end has sealed
			body = fmt.Sprintf(`{"version":2,"data":{"id":"s3_%s","url":"http://%s%s","sealedQuery":"AAAA","hash":%q,"action":"put"}}`,
				region, c.hosts[0], c.objects[0].path, auditor.HashOf(target))
		}
		if c.enqueue(ctx, body) == nil {
			c.count("hostile: message")
		}
		return
	}
	c.send(ctx, r, request{
		method: http.MethodGet, route: "/v1/redirect", object: target, region: region, wait: 2 * time.Second,
		path: "/v1/redirect/s3/" + region + "/" + url.QueryEscape(target) + "?max_wait=2s",
	})
}

// wrongToken is the guess of hostile clients. No log may hold it: a guess can be a typing error.
const wrongToken = "chaos-hunter2-guessed-token-0123456789"

// guess tries a token, or none. Guesses reach the limit of their address. The right token comes
// from the same address, and must pass.
func (c *chaos) guess(ctx context.Context, r *rand.Rand) {
	target := c.urls(c.objects[0])[0]
	q := request{
		method: http.MethodDelete, route: "/v1/purge", object: target, region: "us-west-2",
		path: "/v1/purge/s3/us-west-2/" + url.QueryEscape(target),
	}
	if r.IntN(4) > 0 {
		q.token = wrongToken
		c.guesses.Add(1)
	}
	if a := c.send(ctx, r, q); a.Err == "" && a.Status != http.StatusUnauthorized && a.Status != http.StatusTooManyRequests {
		c.passed.Add(1)
	}
}
