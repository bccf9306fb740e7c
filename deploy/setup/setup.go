// Package setup makes what a deployment needs and does not run: buckets with their lifecycle rules, the queue with its
// dead-letter queue, and Temporal's search attributes.
//
// It is idempotent: what is there as configured is left alone, and what is not ours is never touched.
package setup

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// Step makes one thing, or with dryRun says what it would do. The lines are for a person.
type Step func(ctx context.Context, dryRun bool) (lines []string, err error)

// Run does all steps, whatever becomes of the others, and writes what they say to w. Its error names every step that
// failed.
func Run(ctx context.Context, w io.Writer, dryRun bool, steps ...Step) error {
	var failed []error
	for _, step := range steps {
		lines, err := step(ctx, dryRun)
		for _, line := range lines {
			if _, err := fmt.Fprintln(w, line); err != nil {
				return fmt.Errorf("setup: %w", err)
			}
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("setup: %w", err))
		}
	}
	return errors.Join(failed...)
}
