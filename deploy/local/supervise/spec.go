package supervise

import (
	"context"
	"time"
)

// Spec says what to run.
type Spec struct {
	Name string // for messages
	Path string // of the program
	Args []string
	Env  []string // the whole environment, not an addition to the supervisor's
	Dir  string
	Log  string // path of a file that standard output and standard error are appended to
	// Ready is nil once the process does its work. It is asked again and again, 2 s at most each time. If it is nil
	// itself, a process is ready as soon as it runs.
	Ready func(context.Context) error
	// Grace is how long SIGTERM may take before SIGKILL; 10 s if zero.
	Grace time.Duration
}
