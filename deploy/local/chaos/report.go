package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/auditor"
)

func (c *chaos) count(outcome string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.outcomes[outcome]++
}

func (c *chaos) injected(f fault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults[f]++
}

func (c *chaos) say(format string, args ...any) { fmt.Printf("  "+format+"\n", args...) }

// report prints the faults, the requests, the workflows and the violations.
func (c *chaos) report(w io.Writer, e *auditor.Evidence, found []auditor.Violation) {
	c.mu.Lock()
	defer c.mu.Unlock()
	runs, bytes := map[string]int{}, int64(0)
	for _, r := range e.Runs {
		runs[r.Type+" "+r.Status]++
	}
	for _, s := range e.Sources {
		for _, g := range s.GETs {
			bytes += g.Bytes
		}
	}
	fmt.Fprintf(w, "seed %d\nfaults injected\n", c.seed)
	kinds := []kind{kill, freeze, cut, slow, lose, full, readOnly}
	fmt.Fprintf(w, "  %-22s", "")
	for _, k := range kinds {
		fmt.Fprintf(w, "%9s", k)
	}
	targets := map[string]map[kind]int{}
	for f, n := range c.faults {
		if targets[f.Target] == nil {
			targets[f.Target] = map[kind]int{}
		}
		targets[f.Target][f.Kind] = n
	}
	for _, target := range slices.Sorted(maps.Keys(targets)) {
		fmt.Fprintf(w, "\n  %-22s", target)
		for _, k := range kinds {
			if n := targets[target][k]; n > 0 {
				fmt.Fprintf(w, "%9d", n)
			} else {
				fmt.Fprintf(w, "%9s", "")
			}
		}
	}
	fmt.Fprintln(w, "\nrequests")
	for _, name := range slices.Sorted(maps.Keys(c.outcomes)) {
		fmt.Fprintf(w, "  %7d  %s\n", c.outcomes[name], name)
	}
	fmt.Fprintln(w, "workflows")
	for _, name := range slices.Sorted(maps.Keys(runs)) {
		fmt.Fprintf(w, "  %7d  %s\n", runs[name], name)
	}
	fmt.Fprintf(w, "messages accepted %d, dead letters %d, purges %d\n", len(e.Accepted), len(c.stack.Messages("cloud-mirror_dead")), c.purges.Load())
	fmt.Fprintf(w, "copies in buckets %d, bytes read from the source %.1f MiB, canary named %d times, dialled %d times\n",
		len(e.Copies), float64(bytes)/mib, c.pointed.Load(), e.Forbidden)
	fmt.Fprintf(w, "violations %d\n", len(found))
	for _, v := range found {
		fmt.Fprintln(w, "  "+v.String())
	}
}

// saveEvidence writes the evidence, without logs, beside the logs.
func saveEvidence(dir string, e *auditor.Evidence) error {
	e.Texts = nil
	text, err := json.MarshalIndent(e, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "logs", "evidence.json"), text, 0o600)
}

// keep copies logs and evidence out of the state folder, which the run then removes.
func (c *chaos) keep(dir string) {
	kept, err := os.MkdirTemp("", fmt.Sprintf("cloud-mirror-chaos-%d-%s-", c.seed, time.Now().Format("150405")))
	if err == nil {
		err = os.CopyFS(kept, os.DirFS(filepath.Join(dir, "logs")))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos: logs not kept:", err)
		return
	}
	fmt.Fprintln(os.Stderr, "chaos: logs of all processes, and evidence.json:", kept)
}
