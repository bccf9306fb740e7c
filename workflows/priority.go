package workflows

import (
	"crypto/sha256"
	"encoding/hex"

	"go.temporal.io/sdk/temporal"
)

// maxFairnessKey is the longest fairness key, in bytes
// (https://docs.temporal.io/develop/task-queue-priority-fairness).
const maxFairnessKey = 64

// Priority returns the priority of a workflow and all its tasks
// (https://docs.temporal.io/develop/task-queue-priority-fairness). It is the lowest if no client
// waits for the copy, and the default otherwise. Among tasks of one priority, a server with
// fairness takes turns by the source's host. Other servers ignore the host.
func Priority(low bool, host string) temporal.Priority {
	p := temporal.Priority{FairnessKey: host, FairnessWeight: 1}
	if len(host) > maxFairnessKey {
		sum := sha256.Sum256([]byte(host))
		p.FairnessKey = hex.EncodeToString(sum[:maxFairnessKey/2])
	}
	if low {
		p.PriorityKey = 5
	}
	return p
}
