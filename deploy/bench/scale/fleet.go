package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"

	"github.com/cloud-mirror/cloud-mirror/deploy/bench/client"
	"github.com/cloud-mirror/cloud-mirror/deploy/bench/load"
	"github.com/cloud-mirror/cloud-mirror/deploy/bench/rig"
)

// dialling is how many connections are opened at the same time.
const dialling = 64

// connection is a keep-alive connection to a front end.
type connection struct {
	mu sync.Mutex // Held during a request
	net.Conn
	answers *bufio.Reader
}

// fleet is many connections. A request uses the connections in turn: a client of net/http would use
// the same few.
type fleet []*connection

func dial(ctx context.Context, address string, n int) (fleet, error) {
	all := make(fleet, n)
	err := load.AtOnce(n, dialling, func(i int) error {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err == nil {
			all[i] = &connection{Conn: conn, answers: bufio.NewReaderSize(conn, 2<<10)}
		}
		return err
	})
	if err != nil {
		all.close()
		return nil, err
	}
	return all, nil
}

func (f fleet) close() {
	for _, c := range f {
		if c != nil {
			_ = c.Close()
		}
	}
}

// get makes the i-th request, for an object. It fails unless the front end redirects to a copy.
func (f fleet) get(i, object int) error {
	c := f[i%len(f)]
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, err := io.WriteString(c, "GET "+client.Path(rig.Source(object))+" HTTP/1.1\r\nHost: bench\r\n\r\n"); err != nil {
		return err
	}
	resp, err := http.ReadResponse(c.answers, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	load.Drain(resp)
	if !client.IsCopy(resp) {
		return fmt.Errorf("object %d: %s without a copy", object, resp.Status)
	}
	return nil
}
