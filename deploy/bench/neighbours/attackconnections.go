package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/cloud-mirror/cloud-mirror/deploy/bench/client"
	"github.com/cloud-mirror/cloud-mirror/deploy/bench/load"
)

const (
	unsentBodies = 300
	// bodyHeld is how long a connection waits for an answer before its client leaves.
	bodyHeld = time.Second

	idleConnections = 2000
	// idlePause is how long a client waits that the front end has disconnected.
	idlePause = 5 * time.Second

	unreadPipelines = 100
	// pipelined is the number of requests in a batch of a pipeline. Their answers have 60 KiB.
	pipelined = 64
	// unreadBatches fill the buffers of a connection, which Linux lets grow to 4 MiB. The front end
	// then waits until the client reads.
	unreadBatches = 100
	// unreadBuffer is the receive buffer of a pipeline, in bytes. It keeps the answers of all
	// pipelines small enough for the machine.
	unreadBuffer = 4 << 10
	// unreadPatience is how long a batch waits for room. It is longer than the attack.
	unreadPatience = 5 * time.Minute
	// unreadEvery is how often a pipeline with full buffers tries whether it is still open. A
	// client that the front end has disconnected waits as long.
	unreadEvery = time.Second
)

// unsent announces bodies and does not send them. Each connection waits for a copy that takes
// hours, and its client leaves after a second.
func unsent(ctx context.Context, a *attacker) error {
	head := fmt.Sprintf("GET %s?max_wait=5m HTTP/1.1\r\nHost: %s\r\nContent-Length: 1\r\n\r\n", a.own("/crawl/unsent.bin"), a.FrontEnd)
	forever(ctx, unsentBodies, bodyHeld, func() error {
		conn, err := a.dial(ctx)
		if err != nil {
			return err
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(bodyHeld))
		if _, err := io.WriteString(conn, head); err != nil {
			return err
		}
		status, err := readStatus(conn)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			a.Count("left")
			return nil
		}
		a.Count(status)
		if err == nil {
			load.Wait(ctx, bodyHeld) // As long as without an answer
		}
		return err
	})
	return nil
}

// idle opens connections, makes one request on each, and keeps it open. It opens a connection again
// that the front end closes.
func idle(ctx context.Context, a *attacker) error {
	request := fmt.Sprintf("GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", client.Path(a.Hit), a.FrontEnd)
	forever(ctx, idleConnections, idlePause, func() error {
		conn, release, err := a.hold(ctx)
		if err != nil {
			return err
		}
		defer release()
		if _, err := io.WriteString(conn, request); err != nil {
			return err
		}
		r := bufio.NewReader(conn)
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			a.Count("closed without an answer")
			return err
		}
		load.Drain(resp)
		_ = resp.Body.Close()
		a.Count(resp.Status)
		_, err = r.ReadByte() // Until the front end closes the connection
		if ctx.Err() == nil {
			a.Count("closed")
		}
		return err
	})
	return nil
}

// unread sends requests and reads no answer. It opens a connection again that the front end closes.
func unread(ctx context.Context, a *attacker) error {
	request := fmt.Sprintf("GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", client.Path(a.Hit), a.FrontEnd)
	batch := bytes.Repeat([]byte(request), pipelined)
	forever(ctx, unreadPipelines, unreadEvery, func() error {
		conn, release, err := a.hold(ctx)
		if err != nil {
			return err
		}
		defer release()
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetReadBuffer(unreadBuffer)
		}
		a.Count("pipelines")
		_ = conn.SetWriteDeadline(time.Now().Add(unreadPatience))
		for sent := 0; err == nil; sent++ {
			if sent >= unreadBatches {
				load.Wait(ctx, unreadEvery)
			}
			_, err = conn.Write(batch)
		}
		if ctx.Err() == nil {
			a.Count("closed")
		}
		return err
	})
	return nil
}

func readStatus(conn net.Conn) (string, error) {
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return "closed without an answer", err
	}
	defer resp.Body.Close()
	return resp.Status, nil
}
