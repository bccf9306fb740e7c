package workflows

import (
	"net/url"
	"strings"

	"github.com/cloud-mirror/cloud-mirror/activities"
)

// maxID is the longest workflow id, in bytes. Temporal allows 1,000, but the Web UI and terminals
// show less.
const maxID = 255

// ID returns the workflow id of an object's copy: pool/host/tail of the path/hash. It is readable,
// because the Web UI's lists show it first. The hash makes it injective. It is printable ASCII for
// every URL, because the SDK sends it as a gRPC header: any other byte would block the workflow for
// ever.
func ID(s activities.SealedObject) string {
	host, path := split(s.URL)
	prefix, suffix := s.Pool()+"/"+readable(host, 100)+"/", "/"+s.Hash
	return prefix + readable(path, maxID-len(prefix)-len(suffix)) + suffix
}

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
	return readable(host, maxID)
}

func split(raw string) (host, path string) {
	u, err := url.Parse(raw)
	if err != nil {
		return "", ""
	}
	return u.Host, strings.Trim(u.EscapedPath(), "/")
}

// readable returns the last size bytes of s, where a file's name is. It replaces everything but
// printable ASCII.
func readable(s string, size int) string {
	if size <= 0 {
		return ""
	}
	if len(s) > size {
		s = s[len(s)-size:]
	}
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return '_'
		}
		return r
	}, s)
}
