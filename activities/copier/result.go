package copier

import (
	"strings"

	"github.com/cloud-mirror/cloud-mirror/storage"
)

// The ways in which an object may be copied.
const (
	WayServer  = "copied by the S3 server"
	WayRequest = "one request"
	WayRanges  = "parallel ranges"
	WayStream  = "one stream"
)

// Result says what is in the bucket now and what it took.
type Result struct {
	storage.Stored
	Way string
	// Fetched came from the source in this try, Resumed was in the bucket before, in bytes.
	Fetched, Resumed int64
	// Restarted says why an earlier try was of no use, or the S3 server did not copy by itself.
	Restarted string
	// Unverified is set if nobody can tell whether the source sent all of it.
	Unverified bool
}

// maxReason keeps a result short, in bytes.
const maxReason = 300

func cut(s string) string { return strings.ToValidUTF8(s[:min(len(s), maxReason)], "") }
