package main

import (
	"io"
	"net"
	"sync"
	"time"
)

const (
	connRate  = 25e6                  // Bytes a second on each connection of the slow source
	slowRate  = 20e6                  // Bytes a second of a slow object, all connections together
	capChunk  = 64 << 10              // Bytes of one write
	capCredit = 20 * time.Millisecond // The longest delay of a timer that is made up for
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

// slowWriter sends no faster than its pace allows. Several writers may share a pace.
type slowWriter struct {
	io.Writer
	pace *pace
}

// pace is a rate.
type pace struct {
	rate float64 // Bytes a second
	mu   sync.Mutex
	due  time.Time // Of the next chunk
}

// wait reserves n bytes, and waits until they are due.
func (p *pace) wait(n int) {
	p.mu.Lock()
	now := time.Now()
	if p.due.Before(now.Add(-capCredit)) {
		p.due = now.Add(-capCredit)
	}
	p.due = p.due.Add(time.Duration(float64(n) / p.rate * float64(time.Second)))
	wait := p.due.Sub(now)
	p.mu.Unlock()
	if wait > 0 {
		<-time.After(wait)
	}
}

func (w slowWriter) Write(p []byte) (sent int, err error) {
	for sent < len(p) && err == nil {
		chunk := p[sent:min(len(p), sent+capChunk)]
		w.pace.wait(len(chunk))
		var n int
		n, err = w.Writer.Write(chunk)
		sent += n
	}
	return sent, err
}

// cappedConn sends in chunks, and sleeps until each is due.
type cappedConn struct {
	net.Conn
	due time.Time // Of the next chunk
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
