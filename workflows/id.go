package workflows

import (
	"strings"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/workflows/copyid"
)

// maxHost is the longest host of a search attribute, in bytes.
const maxHost = 255

// ID returns the workflow id of an object's copy; see package copyid.
func ID(s activities.SealedObject) string { return copyid.New(s.Pool(), s.URL, s.Hash) }

// EarlierID returns the workflow id that builds before 2026-11-27 gave the object's copy.
func EarlierID(s activities.SealedObject) string { return copyid.Earlier(s.Pool(), s.URL, s.Hash) }

// TaskQueue returns the task queue of a pool's copies. Workers in the pool's region poll it.
func TaskQueue(pool string) string { return "copy-" + pool }

// LargeTaskQueue returns the task queue of a pool's large objects. Small objects never wait behind
// them.
func LargeTaskQueue(pool string) string { return TaskQueue(pool) + "-large" }

// MaintenanceTaskQueue returns the task queue of the activities that audit and refresh a pool's copies.
// Copies never wait behind them.
func MaintenanceTaskQueue(pool string) string { return TaskQueue(pool) + "-maintenance" }

// Summary describes an object's copy in one line, for the Web UI.
func Summary(s activities.SealedObject) string {
	return s.Service + " " + s.Region + ": " + readable(s.URL, 150)
}

// Host returns the source's host with its port, for search attributes and fairness. A workflow may call
// it: the URL is canonical, so that no parser is needed, and package url's is not deterministic.
func Host(s activities.SealedObject) string {
	_, rest, _ := strings.Cut(s.URL, "://")
	host, _, _ := strings.Cut(rest, "/")
	return readable(host, maxHost)
}

func readable(s string, size int) string { return copyid.Readable(s, size) }
