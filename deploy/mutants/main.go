// Command mutants proves that tests notice faults of the product. Each mutant is the product with a
// small fault, and a named test must fail. go test builds it by -overlay, so the sources stay as
// they are.
//
// To add a mutant, add a row to table.go.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

// testTimeout bounds a test binary. A mutant that hangs is caught.
const testTimeout = "2m"

func main() {
	only := flag.String("only", "", "run only the mutants whose name matches this regular expression")
	jobs := flag.Int("jobs", 2, "mutants that are tested at the same time")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *only, *jobs); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		stop()
		os.Exit(1) //nolint:gocritic // Stop was called
	}
}

// run tests the mutants with a matching name. It fails if one survives, or can't be made.
func run(ctx context.Context, only string, jobs int) error {
	matches, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	var rows []mutant
	for _, m := range mutants() {
		if matches.MatchString(m.name) {
			rows = append(rows, m)
		}
	}
	dir, err := os.MkdirTemp("", "mutants-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	overlays := make([]string, len(rows))
	for i, m := range rows {
		if overlays[i], err = m.overlay(dir, i); err != nil {
			return err
		}
	}
	if err := control(ctx, rows); err != nil {
		return err
	}
	results := make([]result, len(rows))
	var group errgroup.Group
	group.SetLimit(jobs)
	for i, m := range rows {
		group.Go(func() error {
			results[i] = m.test(ctx, overlays[i])
			return nil
		})
	}
	_ = group.Wait() // The results hold the errors
	return report(rows, results)
}

// overlay writes the mutated file, and the JSON that has the go command use it. It fails unless the
// file has the old text exactly once.
func (m mutant) overlay(dir string, n int) (string, error) {
	file, err := filepath.Abs(m.file)
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	if found := bytes.Count(text, []byte(m.old)); found != 1 {
		return "", fmt.Errorf("%s: %s has the old text %d times, want once: %s", m.name, m.file, found, m.old)
	}
	mutated := filepath.Join(dir, fmt.Sprintf("%d.go", n))
	if err := os.WriteFile(mutated, bytes.Replace(text, []byte(m.old), []byte(m.new), 1), 0o600); err != nil { //nolint:gosec // In our own folder
		return "", err
	}
	data, err := json.Marshal(map[string]map[string]string{"Replace": {file: mutated}})
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, fmt.Sprintf("%d.json", n))
	return path, os.WriteFile(path, data, 0o600)
}

// control runs the tests without a mutant: they must run, and pass.
func control(ctx context.Context, rows []mutant) error {
	tests := map[string][]string{}
	for _, m := range rows {
		tests[m.pkg] = append(tests[m.pkg], m.by)
	}
	for pkg, names := range tests {
		out, err := goTest(ctx, "", pkg, strings.Join(names, "|"))
		if err != nil {
			return fmt.Errorf("the product itself fails in %s: %w\n%s", pkg, err, out)
		}
		for _, name := range names {
			if !strings.Contains(out, "--- PASS: "+name+" ") {
				return fmt.Errorf("%s has no test %s", pkg, name)
			}
		}
	}
	return nil
}

// result is the end of a mutant.
type result struct {
	caught bool
	took   time.Duration
	err    error // The mutant could not be tested
}

// test runs the mutant's test against it.
func (m mutant) test(ctx context.Context, overlay string) result {
	start := time.Now()
	out, err := goTest(ctx, overlay, m.pkg, m.by)
	r := result{took: time.Since(start)}
	_, exited := errors.AsType[*exec.ExitError](err)
	switch {
	case ctx.Err() != nil:
		r.err = ctx.Err()
	case err == nil:
	case exited && (strings.Contains(out, "--- FAIL: "+m.by) || strings.Contains(out, "panic: ")):
		r.caught = true
	default:
		r.err = fmt.Errorf("%w\n%s", err, out)
	}
	return r
}

// goTest runs the tests of these names in a package.
func goTest(ctx context.Context, overlay, pkg, names string) (output string, err error) {
	args := []string{"test", "-count=1", "-v", "-vet=off", "-timeout", testTimeout, "-run", "^(" + names + ")$"}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	cmd := exec.CommandContext(ctx, "go", append(args, pkg)...) //nolint:gosec // The arguments are those of the table
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// report prints a line per mutant. It fails unless all are caught.
func report(rows []mutant, results []result) error {
	var failures []error
	for i, m := range rows {
		outcome := "caught"
		switch r := results[i]; {
		case r.err != nil:
			outcome = "ERROR"
			failures = append(failures, fmt.Errorf("%s: %w", m.name, r.err))
		case !r.caught:
			outcome = "SURVIVED"
			failures = append(failures, fmt.Errorf("%s: %s passes although %s is broken", m.name, m.by, m.file))
		}
		fmt.Printf("%-8s  %5.1f s  %-50s  %s %s\n", outcome, results[i].took.Seconds(), m.name, m.pkg, m.by)
	}
	fmt.Printf("%d mutants, %d not caught\n", len(rows), len(failures))
	return errors.Join(failures...)
}
