package supervise

import (
	"context"
	"time"
)

// Spec describes a process.
type Spec struct {
	Name string // for messages
	Path string // of the program
	Args []string
	Env  []string // the whole environment, not an addition to the supervisor's
	Dir  string
	Log  string // file to which standard output and standard error are appended
	// Ready returns nil once the process is ready. The supervisor polls it, with a time-out of 2 s.
	// If Ready is nil, the process is ready as soon as it runs.
	Ready func(context.Context) error
	// Grace is the time between SIGTERM and SIGKILL. Zero means 10 s.
	Grace time.Duration
}
