package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/cloud-mirror/cloud-mirror/deploy/bench/client"
	"github.com/cloud-mirror/cloud-mirror/deploy/bench/load"
	"github.com/cloud-mirror/cloud-mirror/deploy/local/stack"
)

const (
	linesPerSecond = 400
	lineLength     = 60 << 10 // Bytes

	listURLs    = 3000
	listRegions = 3000
	listClients = 2
	listRead    = 10 * time.Second // How long a client waits for an answer and reads it
	listPause   = time.Second      // Before the next list

	crawlingObjects = 150

	variantsPerSecond = 250
	attackConnections = 64
)

// longLines sends request lines of 60 KiB that are all refused: the query is not one of ours. Each
// names another object.
func longLines(ctx context.Context, a *attacker) error {
	c, query := a.client(attackConnections), "?"+strings.Repeat("a", lineLength)
	load.Schedule{Every: time.Second / linesPerSecond, Workers: attackConnections}.Run(ctx, func(i int, _ time.Time) {
		a.get(ctx, c, a.own(fmt.Sprintf("/small/%d", i))+query)
	})
	return nil
}

// products posts a list of one line, with many URLs and one region many times. The front end drops
// the repeated regions, so the list requests a copy of each URL. A client reads the answer for some
// seconds.
func products(ctx context.Context, a *attacker) error {
	var line struct {
		URLs    []string `json:"urls"`
		Regions []string `json:"regions"`
	}
	for i := range listURLs {
		line.URLs = append(line.URLs, fmt.Sprintf("%s/small/%d", a.Source, i))
	}
	for range listRegions {
		line.Regions = append(line.Regions, client.Region)
	}
	text, err := json.Marshal(line)
	if err != nil {
		return err
	}
	c := a.client(listClients)
	forever(ctx, listClients, 0, func() error {
		defer load.Wait(ctx, listPause)
		ctx, cancel := context.WithTimeout(ctx, listRead)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+a.FrontEnd+"/v1/copies", bytes.NewReader(text))
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+stack.PurgeToken)
		resp, err := c.Do(req)
		if err != nil {
			a.Count("no answer")
			return err
		}
		defer resp.Body.Close()
		a.Count("list " + resp.Status)
		lines := bufio.NewScanner(resp.Body)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			var answer struct{ Status string }
			_ = json.Unmarshal(lines.Bytes(), &answer)
			if answer.Status == "" {
				answer.Status = "refused"
			}
			a.Count(answer.Status)
		}
		return nil
	})
	return nil
}

// crawl requests objects of a slow source.
func crawl(ctx context.Context, a *attacker) error {
	c := a.client(1)
	for i := range crawlingObjects {
		a.get(ctx, c, a.own(fmt.Sprintf("/crawl/%d.bin", i))+"?max_wait=0")
	}
	return nil
}

// variants requests one URL with many queries, until ctx ends. It waits for no copy.
func variants(ctx context.Context, a *attacker) error {
	c := a.client(attackConnections)
	load.Schedule{Every: time.Second / variantsPerSecond, Workers: attackConnections}.Run(ctx, func(i int, _ time.Time) {
		a.get(ctx, c, a.own(fmt.Sprintf("/small/variant.bin?%d", i))+"?max_wait=0")
	})
	return nil
}
