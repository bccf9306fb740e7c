package copier

import (
	"cmp"
	"encoding/json"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// Job is a request for one copy.
type Job struct {
	URL string // Canonical and allowed
	// First is set for the first request to the source. It copies a small object at once, and
	// describes a large object in [Result].Large instead of copying it.
	First bool
	// Meta describes a large object as the first request saw it. A size of -1 stands for an object
	// that was not described: it is copied by one stream.
	Meta origin.Meta
	// MinSize is the size of the smallest object that the first request copies, in bytes. It does
	// not hold for an object of unknown length that doesn't end within the first MiB.
	MinSize int64
	// Spec returns everything about the object to store except its bytes. The description is that
	// of the response whose bytes are stored.
	Spec func(origin.Meta) storage.ObjectSpec
	// SHA256 is set if the copy's SHA-256 must be computed even if the source does not send it.
	SHA256 bool
	// Server returns the source's object if it is in an S3 that the bucket's server can read by
	// itself, and nil otherwise.
	Server func(origin.Meta) *storage.CopySource
	// Resume is the last state that an earlier try gave to Checkpoint.
	Resume State
	// Checkpoint saves the state for the next try. One goroutine at a time calls it. When its first
	// call returns, the next try must be able to find the state, unless ctx is done by then.
	Checkpoint func(State)
	// Counters can be read while the copy runs.
	Counters Counters

	host atomic.Pointer[string] // The host that serves the object, once it is described
}

// State is all that the next try needs to resume a copy. The zero value starts a copy.
type State struct {
	Upload   string `json:"upload,omitempty"`   // The id of the multipart upload
	PartSize int64  `json:"partSize,omitempty"` // Bytes
	// Stream is set if the object must be copied by one stream. Such an upload can't be resumed.
	Stream bool `json:"stream,omitempty"`
	// Meta describes the version of the upload's parts, if the source changed after the first
	// request. Parts of two versions must never be mixed. In JSON, the upload's id has another key
	// then: a worker of a build before 2026-11-25 ignores Meta, and must restart.
	Meta *origin.Meta `json:"meta,omitempty"`
	// Hashed counts the parts, from the first, that Hash covers. Both are zero unless the copy has
	// a digest.
	Hashed int32  `json:"hashed,omitempty"`
	Hash   []byte `json:"hash,omitempty"`
}

// state is [State] without its methods.
type state State

// jsonState is the JSON of a [State].
type jsonState struct {
	state
	// Restarted is Upload, if there is a Meta.
	Restarted string `json:"restartedUpload,omitempty"`
}

var (
	_ json.Marshaler   = State{}
	_ json.Unmarshaler = (*State)(nil)
)

// MarshalJSON hides the upload of a restarted copy from earlier builds.
func (s State) MarshalJSON() ([]byte, error) {
	j := jsonState{state: state(s)}
	if s.Meta != nil {
		j.Restarted, j.Upload = s.Upload, ""
	}
	return json.Marshal(j)
}

// UnmarshalJSON decodes the form of MarshalJSON, and the states of earlier builds.
func (s *State) UnmarshalJSON(data []byte) error {
	var j jsonState
	if err := json.Unmarshal(data, &j); err != nil {
		return err
	}
	*s = State(j.state)
	s.Upload = cmp.Or(s.Upload, j.Restarted)
	return nil
}

// Counters shows the progress of a running copy. Fetched, Read and Stored count bytes.
type Counters struct {
	// Size is the object's length in bytes, or -1 while it is unknown.
	Size atomic.Int64
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

	mu        sync.Mutex
	reads     int           // Bodies that are being read
	since     time.Time     // When the first of them started
	connected time.Duration // Until then
}

// Connected returns how long the copy has read bodies of the source, one or several at a time, in
// this try. It reports whether the copy reads one now. Waiting for a turn, for a connection or for
// the bucket does not count.
func (c *Counters) Connected() (d time.Duration, now bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reads == 0 {
		return c.connected, false
	}
	return c.connected + time.Since(c.since), true
}

// connect notes the start of a read, and returns the function that notes its end.
func (c *Counters) connect() (end func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reads++; c.reads == 1 {
		c.since = time.Now()
	}
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.reads--; c.reads == 0 {
			c.connected += time.Since(c.since)
		}
	}
}
