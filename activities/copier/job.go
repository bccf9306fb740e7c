package copier

import (
	"sync/atomic"

	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// Job is a request for one copy.
type Job struct {
	URL  string // Canonical and allowed
	Meta origin.Meta
	// Spec is everything about the object to store except its bytes.
	Spec storage.ObjectSpec
	// Expect holds digests that the copy must have, besides the source's own.
	Expect []origin.Digest
	// Server, if set, is the source's object in an S3 that the bucket's server can read by itself.
	Server *storage.CopySource
	// Resume is the last state that an earlier try gave to Checkpoint.
	Resume State
	// Checkpoint saves the state for the next try. One goroutine at a time calls it. When its first
	// call returns, the next try must be able to find the state, unless ctx is done by then.
	Checkpoint func(State)
	// Counters can be read while the copy runs.
	Counters Counters
}

// State is all that the next try needs to resume a copy. The zero value starts a copy.
type State struct {
	Upload   string `json:"upload,omitempty"`   // The id of the multipart upload
	PartSize int64  `json:"partSize,omitempty"` // Bytes
	Stream   bool   `json:"stream,omitempty"`   // A streamed upload cannot be resumed
	// Hashed counts the parts, from the first, that Hash covers. Both are zero unless the copy has
	// a digest.
	Hashed int32  `json:"hashed,omitempty"`
	Hash   []byte `json:"hash,omitempty"`
}

// Counters shows the progress of a running copy. Fetched, Read and Stored count bytes.
type Counters struct {
	// Waiting is not 0 while parts wait for their turn or for memory. Held counts the buffers that
	// the copy holds. A copy that waits and holds no buffer can't make progress.
	Waiting, Held atomic.Int64
	// Reading counts the reads of the source that are in flight.
	Reading atomic.Int64
	// Fetched counts bytes from the source in this try.
	Fetched atomic.Int64
	// Read counts bytes read from buffers, to be sent to the bucket. Bytes that are sent again
	// count again.
	Read atomic.Int64
	// Stored counts bytes in the bucket, including those of earlier tries.
	Stored atomic.Int64
}
