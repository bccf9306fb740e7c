package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cloud-mirror/cloud-mirror/deploy/bench/client"
	"github.com/cloud-mirror/cloud-mirror/deploy/bench/load"
	"github.com/cloud-mirror/cloud-mirror/deploy/bench/process"
	"github.com/cloud-mirror/cloud-mirror/deploy/local/stack"
)

// Kinds of crowds.
const (
	crowdCopies  = "copies"
	crowdWaiters = "waiters"
	crowdPurges  = "purges"
)

const (
	copying      = 50 // Clients of new objects, each one object at a time
	copyPatience = time.Minute
	copied       = "copied" // In the tally

	hangingPath = "/hanging/"
	// waitedObjects is how many objects the clients wait for.
	waitedObjects = 100
	// waiterAddresses is how many clients they are: one can have a fifth of frontend.max_waiters.
	waiterAddresses = 10
	arriving        = 64 // At the same time

	purgeEvery = 10 * time.Millisecond
	purging    = 64 // Purges at the same time
)

// crowdTask is the work of the crowd's process.
type crowdTask struct {
	Kind     string
	FrontEnd string // Host and port
	Source   string // Base URL
	Waiters  int
	Nice     int
}

// crowd is the clients beside the client of hits.
type crowd struct {
	crowdTask
	load.Tally
}

// serveCrowd is the main function of the crowd's process.
func serveCrowd(ctx context.Context, control, task string) error {
	c := &crowd{}
	if err := json.Unmarshal([]byte(task), &c.crowdTask); err != nil {
		return err
	}
	if c.Nice != 0 {
		if err := process.Renice(os.Getpid(), c.Nice); err != nil {
			return err
		}
	}
	work, known := map[string]func(context.Context) error{
		crowdCopies: c.copy, crowdWaiters: c.wait, crowdPurges: c.purge,
	}[c.Kind]
	if !known {
		return fmt.Errorf("no crowd is named %q", c.Kind)
	}
	return load.ServeBackground(ctx, control, &c.Tally, work)
}

// copy requests new objects until ctx ends.
func (c *crowd) copy(ctx context.Context) error {
	clients := load.NewClient("127.0.0.3", copying, copyPatience)
	var next atomic.Int64
	return load.AtOnce(copying, copying, func(int) error {
		for ctx.Err() == nil {
			c.send(ctx, clients, http.MethodGet, client.Path(fmt.Sprintf("%s/cold/%d/object.bin", c.Source, next.Add(1))))
		}
		return nil
	})
}

// purgedURL is the URL of an object that is purged.
func purgedURL(source string, i int) string { return fmt.Sprintf("%s/purged/%d/object.bin", source, i) }

// purge purges another object every 10 ms, until ctx ends.
func (c *crowd) purge(ctx context.Context) error {
	clients := load.NewClient("127.0.0.3", purging, copyPatience)
	load.Schedule{Every: purgeEvery, Workers: purging}.Run(ctx, func(i int, _ time.Time) {
		c.send(ctx, clients, http.MethodDelete, strings.Replace(client.Path(purgedURL(c.Source, i)), "/redirect/", "/purge/", 1))
	})
	return nil
}

func (c *crowd) send(ctx context.Context, clients *http.Client, method, path string) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+c.FrontEnd+path, nil)
	if err != nil {
		c.Count("invalid request")
		return
	}
	if method == http.MethodDelete {
		req.Header.Set("Authorization", "Bearer "+stack.PurgeToken)
	}
	resp, err := clients.Do(req)
	if err != nil {
		c.Count("no answer")
		return
	}
	defer resp.Body.Close()
	load.Drain(resp)
	if client.IsCopy(resp) {
		c.Count(copied)
	} else {
		c.Count(http.StatusText(resp.StatusCode))
	}
}

// wait opens connections that wait for objects of a source that hangs. It reads no answer.
func (c *crowd) wait(ctx context.Context) error {
	return load.AtOnce(c.Waiters, arriving, func(i int) error {
		conn, err := load.DialFrom(fmt.Sprintf("127.0.1.%d", i%waiterAddresses+1))(ctx, "tcp", c.FrontEnd)
		if err != nil {
			return err
		}
		context.AfterFunc(ctx, func() { _ = conn.Close() })
		path := client.Path(fmt.Sprintf("%s%s%d/object.bin", c.Source, hangingPath, i%waitedObjects))
		_, err = io.WriteString(conn, "GET "+path+"?max_wait=5m HTTP/1.1\r\nHost: bench\r\n\r\n")
		c.Count("client waits")
		return err
	})
}
