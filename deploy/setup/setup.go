package setup

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// Step creates one resource, or with dryRun lists the changes that it would make. The lines are for
// a person.
type Step func(ctx context.Context, dryRun bool) (lines []string, err error)

// Run runs all steps, even after a failure, and writes their lines to w. Its error lists every step
// that failed.
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
