package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// sample is the result of one run of wrk.
type sample struct {
	rate float64 // Requests a second
	p99  float64 // Of a response, in milliseconds
}

// wrk loads a server, with requests for one path, or with those of a script.
func (f *fixture) wrk(ctx context.Context, l *load) (sample, error) {
	args := []string{
		"-t1", "-c" + strconv.Itoa(f.connections), "-d" + strconv.Itoa(int(max(1, f.length/time.Second))) + "s", "--latency",
	}
	if l.script != "" {
		args = append(args, "-s", l.script)
	}
	cmd := exec.CommandContext(ctx, "wrk", append(args, "http://"+l.address+cmp.Or(l.path, target(0)))...) //nolint:gosec // wrk
	out, err := cmd.CombinedOutput()
	if err == nil && regexp.MustCompile(`Socket errors: .*|Non-2xx or 3xx responses: .*`).Match(out) {
		err = errors.New("failed requests")
	}
	s, bad := parseWrk(out)
	if err := cmp.Or(err, bad); err != nil {
		return s, fmt.Errorf("wrk: %w: %s", err, out)
	}
	return s, nil
}

func parseWrk(out []byte) (s sample, err error) {
	rate := regexp.MustCompile(`Requests/sec:\s+([\d.]+)`).FindSubmatch(out)
	p99 := regexp.MustCompile(`99%\s+([\d.]+(us|ms|s))\b`).FindSubmatch(out)
	if rate == nil || p99 == nil {
		return s, errors.New("no rate or no p99")
	}
	if s.rate, err = strconv.ParseFloat(string(rate[1]), 64); err != nil {
		return s, err
	}
	d, err := time.ParseDuration(string(p99[1]))
	s.p99 = d.Seconds() * 1000
	return s, err
}

// script writes a script for wrk that requests the given number of objects in turn.
func (f *fixture) script(objects int) (string, error) {
	var text strings.Builder
	fmt.Fprintln(&text, "local paths = {}")
	for i := range objects {
		fmt.Fprintf(&text, "paths[%d] = %q\n", i, target(i))
	}
	fmt.Fprintf(&text, `
local requests, next = {}, 0
function init(args)
  for i = 0, %d do requests[i] = wrk.format("GET", paths[i]) end
end
function request()
  next = (next + 1) %% %d
  return requests[next]
end
`, objects-1, objects)
	file := filepath.Join(f.dir, "many.lua")
	return file, os.WriteFile(file, []byte(text.String()), 0o600)
}
