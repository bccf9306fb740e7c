package auditor

import (
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// Evidence holds the observations of the auditor. Each check reads it.
type Evidence struct {
	Now      time.Time
	Sources  map[string]*Source // By the hash of the object's URL
	Answers  []Answer
	Copies   []Copy
	Uploads  []Upload
	Accepted []Message // Messages that the queue accepted
	Queued   []Message // Messages that the queue still holds
	Dead     []Message // Messages in the dead-letter queue
	Runs     []Run
	Entries  []Entry
	Faults   []Fault
	// Purges are those that a front end accepted.
	Purges []Purge
	// Replaced are the bytes that purges have removed for good.
	Replaced []Replaced
	// Texts are everything in which a secret could be: logs, metrics, redis, queues, histories, and
	// the keys and metadata of buckets.
	Texts []Text
	// Forbidden is the number of connections to listeners that no process may dial.
	Forbidden int64
	Base, Use map[string]Usage // By process
}

// HashOf returns the hash by which keys, messages and histories name an object.
func HashOf(url string) string {
	sum := sha256.Sum256([]byte(url))
	return hex.EncodeToString(sum[:])
}

// A Copy is an object of a bucket. The auditor has read its bytes.
type Copy struct {
	Pool, Hash, Key string
	Size            int64
	Digest          string // SHA-256, in hex
}

// An Upload is an open multipart upload.
type Upload struct{ Pool, Hash, Key, ID string }

// A Message is a copy request in a queue, or a message that is none.
type Message struct {
	At     time.Time
	Body   string
	Reason string // Of a dead letter
	// Handwritten is set if the scenario has sent the message itself.
	Handwritten bool
	// The fields are empty if the body is no copy request.
	Pool, Hash, Action string
}

// A Run is a run of a workflow about one object.
type Run struct {
	Pool, Hash, ID, Type string
	Status               string // Running, Completed, Failed, Canceled, Terminated, TimedOut or ContinuedAsNew
	Reason               string // Why a run did not complete
	TooSmall             bool   // The run completed without a copy
	Start, Close         time.Time
}

// An Entry is the state of an object in redis.
type Entry struct {
	Pool, Hash, Key string
	State           string
	Class           string
	Deadline        time.Time
	TTL             time.Duration // Negative if the key never expires
}

// A Purge is the purge of an object in one pool, from the request to its answer.
type Purge struct {
	Pool, Hash string
	From, To   time.Time
}

// Replaced are the bytes of an object that has changed, after a purge in all pools has succeeded.
type Replaced struct {
	Hashes []string // Of the object's URLs
	Digest string   // SHA-256, in hex
	At     time.Time
}

// A Text is the content of a named place.
type Text struct{ Where, Content string }

// Usage holds the resources of a process: bytes on the heap, goroutines and descriptors.
type Usage struct{ Memory, Goroutines, Descriptors float64 }

// A Fault is a fault that was injected into a part of the system.
type Fault struct {
	Target, Kind string
	From, To     time.Time
}

// aftermath is how long a fault can have effects after its end: a client reconnects, a thawed
// process sends its late calls.
const aftermath = 5 * time.Second

// overlaps reports whether the fault, or its aftermath, meets the time from start to end.
func (f Fault) overlaps(start, end time.Time) bool {
	return f.From.Before(end) && f.To.Add(aftermath).After(start)
}

// A Source is the record of one object in a ledger.
type Source struct {
	URL string
	// Whole holds the SHA-256 of each body that the source has served whole, in one response or in
	// ranges of one version.
	Whole map[string]bool
	Size  int64 // Of the largest version
	GETs  []Served
}

// Served is the response to a GET with status 200 or 206.
type Served struct {
	Status int
	First  int64 // Position of the first byte
	Bytes  int64
	// Cut is set if the client left, or the source stopped, before the end.
	Cut      bool
	From, To time.Time
}

// An Answer is the response that a client got, or the error instead.
type Answer struct {
	Method, URL string // Of the request
	FrontEnd    string // The part of the system that was asked
	Pool, Hash  string // Of the object
	Statuses    []string
	Wait        time.Duration
	At          time.Time
	Took        time.Duration
	Lag         time.Duration // How late this machine scheduled the client
	Status      int
	Location    string
	Copy        bool   // Location is in a bucket
	Err         string // The client got no response
	// Downloaded is set if the client has followed a Location in a bucket.
	Downloaded *Download
}

// A Download is the response of a bucket.
type Download struct {
	Status int
	Digest string // SHA-256 of the body, in hex
	Err    string
	To     time.Time
}
