package main

import (
	"net"
	"time"
)

const (
	connRate  = 25e6                  // bytes a second on each connection of the slow source
	capChunk  = 64 << 10              // bytes of one write
	capCredit = 20 * time.Millisecond // the longest delay of a timer that is made up for
)

// capped accepts connections that send no faster than connRate.
type capped struct{ net.Listener }

func (c capped) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &cappedConn{Conn: conn}, nil
}

// cappedConn sends in chunks, and sleeps until each is due.
type cappedConn struct {
	net.Conn
	due time.Time // of the next chunk
}

func (c *cappedConn) Write(p []byte) (sent int, err error) {
	for sent < len(p) && err == nil {
		now := time.Now()
		if wait := c.due.Sub(now); wait > 0 {
			<-time.After(wait)
		} else if wait < -capCredit {
			c.due = now.Add(-capCredit)
		}
		var n int
		n, err = c.Conn.Write(p[sent:min(len(p), sent+capChunk)])
		sent += n
		c.due = c.due.Add(time.Duration(float64(n) / connRate * float64(time.Second)))
	}
	return sent, err
}
