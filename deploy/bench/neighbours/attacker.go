package main

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/cloud-mirror/cloud-mirror/deploy/bench/client"
	"github.com/cloud-mirror/cloud-mirror/deploy/bench/load"
)

// attackerAddress is the client's address, and the address of its source.
const attackerAddress = "127.0.0.66"

// attackTask is the work of the attacker's process.
type attackTask struct {
	Attack   string
	FrontEnd string // Host and port
	Source   string // Base URL of the attacker's own source
	Hit      string // URL of an object with a copy
}

// attacker is the attacking client.
type attacker struct {
	attackTask
	load.Tally
}

// serveAttack is the main function of the attacker's process. It attacks until its parent ends it.
// At the control address it serves its tally.
func serveAttack(ctx context.Context, control, task string) error {
	a := &attacker{}
	if err := json.Unmarshal([]byte(task), &a.attackTask); err != nil {
		return err
	}
	list, err := selected(a.Attack)
	if err != nil {
		return err
	}
	return load.ServeBackground(ctx, control, &a.Tally, func(ctx context.Context) error { return list[0].run(ctx, a) })
}

// dial opens a connection to the front end.
func (a *attacker) dial(ctx context.Context) (net.Conn, error) {
	conn, err := load.DialFrom(attackerAddress)(ctx, "tcp", a.FrontEnd)
	if err != nil {
		a.Count(load.IfTimeout(err, "no connection", "refused connection"))
	}
	return conn, err
}

// hold opens a connection to the front end, which ctx or release closes.
func (a *attacker) hold(ctx context.Context) (conn net.Conn, release func(), err error) {
	if conn, err = a.dial(ctx); err != nil {
		return nil, nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	return conn, func() { stop(); _ = conn.Close() }, nil
}

// client makes ordinary requests, and keeps its connections.
func (a *attacker) client(connections int) *http.Client {
	return load.NewClient(attackerAddress, connections, time.Minute)
}

// get requests the path and counts the answer.
func (a *attacker) get(ctx context.Context, c *http.Client, path string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+a.FrontEnd+path, nil)
	if err != nil {
		a.Count("invalid request")
		return
	}
	a.send(c, req)
}

func (a *attacker) send(c *http.Client, req *http.Request) {
	resp, err := c.Do(req)
	if err != nil {
		a.Count("no answer")
		return
	}
	defer resp.Body.Close()
	load.Drain(resp)
	a.Count(resp.Status)
}

// own is the path of an object of the attacker's source.
func (a *attacker) own(path string) string { return client.Path(a.Source + path) }

// forever runs f in n goroutines, again and again. A pause follows a failed round, so that refused
// connections make no flood.
func forever(ctx context.Context, n int, pause time.Duration, f func() error) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			for load.Wait(ctx, time.Duration(i)*time.Millisecond); ctx.Err() == nil; {
				if f() != nil {
					load.Wait(ctx, pause)
				}
			}
		})
	}
	all.Wait()
}
