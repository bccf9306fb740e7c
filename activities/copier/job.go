package copier

import (
	"sync/atomic"

	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// Job is one copy.
type Job struct {
	URL  string // canonical, allowed
	Meta origin.Meta
	// Spec is the object to store, except for its bytes.
	Spec storage.ObjectSpec
	// Expect are digests that the copy must have besides the source's own.
	Expect []origin.Digest
	// Server, if set, is the object's own place in an S3 that the bucket's server may read by itself.
	Server *storage.CopySource
	// Resume is where an earlier try left off, as Checkpoint was told.
	Resume State
	// Checkpoint is told the state, from one goroutine at a time. When it returns from the first call, the state must be
	// where the next try finds it, unless ctx is over then.
	Checkpoint func(State)
	Counters   Counters
}

// State is what it takes to go on with a copy. The zero value is a copy that has to begin.
type State struct {
	Upload   string `json:"upload,omitempty"`   // its id
	PartSize int64  `json:"partSize,omitempty"` // bytes
	Stream   bool   `json:"stream,omitempty"`   // of one stream nothing can be gone on with
	// Hashed is how many parts, from the first, Hash has in it; only of a copy that has a digest.
	Hashed int32  `json:"hashed,omitempty"`
	Hash   []byte `json:"hash,omitempty"`
}

// Counters are updated while a copy runs, in bytes.
type Counters struct {
	// Waiting is not 0 while parts wait for their turn or for memory, Held is how many buffers the copy has. One that waits
	// and holds nothing can't do anything.
	Waiting, Held atomic.Int64
	// Reading is how many reads of the source are under way.
	Reading atomic.Int64
	// Fetched came from the source in this try.
	Fetched atomic.Int64
	// Read was read of buffers, to be sent to the bucket; more than once if it had to be sent again.
	Read atomic.Int64
	// Stored is what the bucket has, from earlier tries as well.
	Stored atomic.Int64
}
