package copier

import (
	"strings"

	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// The ways to copy an object.
const (
	WayServer  = "copied by the S3 server"
	WayRequest = "one request"
	WayRanges  = "parallel ranges"
	WayStream  = "one stream"
)

// Result describes the object in the bucket, and how it was copied.
type Result struct {
	storage.Stored
	// Large describes an object that the first request found to be large. It is not copied then,
	// and the other fields are zero except for Fetched.
	Large *origin.Meta
	// TooSmall is the size in bytes of an object that the first request found to be smaller than
	// [Job].MinSize. It is not copied then, and the other fields are zero except for Fetched.
	TooSmall *int64
	Way      string
	// SHA256 is the digest of the copy in lower-case hex. It is empty unless the job or the source made
	// the copier compute it.
	SHA256 string
	// Fetched counts the bytes from the source in this try, Resumed those that the bucket had
	// before.
	Fetched, Resumed int64
	// Restarted is the reason why an earlier try could not be resumed, or why the S3 server did not
	// copy by itself.
	Restarted string
	// Unverified is set if the source's framing can't show whether it sent the whole object.
	Unverified bool
}

// maxReason is the longest reason in a result, in bytes.
const maxReason = 300

func cut(s string) string { return strings.ToValidUTF8(s[:min(len(s), maxReason)], "") }
