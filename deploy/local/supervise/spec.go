package supervise

import (
	"context"
	"time"
)

// User is a user with its group.
type User struct{ UID, GID uint32 }

// Spec describes a process.
type Spec struct {
	Name string // For messages
	Path string // Of the program
	Args []string
	Env  []string // The whole environment, not an addition to the supervisor's
	Dir  string
	// User is the id of the user and the group that the process runs as. Nil is that of this process,
	// and only root can choose another.
	User *User
	Log  string // File to which standard output and standard error are appended
	// Ready returns nil once the process is ready. The supervisor polls it, with a time-out of 2 s.
	// If Ready is nil, the process is ready as soon as it runs.
	Ready func(context.Context) error
	// Grace is the time between SIGTERM and SIGKILL. Zero means 10 s.
	Grace time.Duration
}
