package workflows

import (
	"net/url"
	"strings"

	"github.com/cloud-mirror/cloud-mirror/activities"
)

// maxID is the longest workflow id, in bytes: Temporal's limit is 1,000, but the Web UI and people's terminals want less.
const maxID = 255

// ID is the workflow id of a source's copy: pool/host/tail of the path/hash. It is made to be read, since the Web UI's
// lists show it before anything else; the hash makes it injective. It is printable ASCII whatever the URL holds, because
// the SDK sends it as a gRPC header and any other byte would block the workflow for ever.
func ID(s activities.SealedObject) string {
	host, path := split(s.URL)
	prefix, suffix := s.Pool()+"/"+readable(host, 100)+"/", "/"+s.Hash
	return prefix + readable(path, maxID-len(prefix)-len(suffix)) + suffix
}

// TaskQueue is where a pool's copies are done: by workers in the pool's region.
func TaskQueue(pool string) string { return "copy-" + pool }

// LargeTaskQueue is where a pool's large objects are copied: the small ones never wait behind them.
func LargeTaskQueue(pool string) string { return TaskQueue(pool) + "-large" }

// Summary says in one line what a source's copy is, for the Web UI.
func Summary(s activities.SealedObject) string {
	return s.Service + " " + s.Region + ": " + readable(s.URL, 150)
}

// Host is the source's host, for search attributes.
func Host(s activities.SealedObject) string {
	host, _ := split(s.URL)
	return readable(host, maxID)
}

func split(raw string) (host, path string) {
	u, err := url.Parse(raw)
	if err != nil {
		return "", ""
	}
	return u.Host, strings.Trim(u.EscapedPath(), "/")
}

// readable keeps the last size bytes of s, where a file's name is, and of them what is printable ASCII.
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
