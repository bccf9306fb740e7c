// Package sqs is an Amazon SQS endpoint in one process, for development and tests: an [http.Handler] to which the AWS
// SDKs talk as they talk to the real service, over the AWS JSON 1.0 protocol.
//
// Guarantees, for standard queues:
//   - A message is delivered at least once, to one receiver at a time for the length of its visibility timeout, and is
//     gone once it is deleted with its newest receipt handle.
//   - A message received maxReceiveCount times without being deleted goes to the dead-letter queue of its RedrivePolicy.
//   - A long poll is answered at once by a send, by an expired visibility timeout and by the end of a delay.
//   - Errors carry the type and the x-amzn-query-error header of the real service, so that SDKs decode typed errors.
//   - With a state file, queues and messages outlive the process: the file is replaced atomically about once a second
//     when something changed, and at Close. What happened in the last second before a kill -9 is lost.
//
// Left out: FIFO queues (refused), permissions, encryption (its settings are stored and given back, nothing more),
// signatures (any credentials will do), and the service's quotas on in-flight messages and on re-creating a queue.
package sqs

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/jonboulle/clockwork"
)

// accountID is the account in every queue URL and ARN.
const accountID = "000000000000"

// maxRequest bounds a request's body: ten messages of 1 MiB, with room for JSON's escapes.
const maxRequest = 64 << 20

// saveInterval is how often a changed state is written to the state file.
const saveInterval = time.Second

// Options configure a [Server]; the zero value is a server in memory, in us-east-1.
type Options struct {
	Region string // in queue ARNs; us-east-1 if empty
	// Path of the state file. Empty: nothing is kept. It must not be shared by two servers.
	Path string
	// Clock decides visibility, delays, retention and long polls; the wall clock if nil.
	Clock clockwork.Clock
	// OnError is told about failures to write the state file; they are dropped if nil.
	OnError func(error)
}

var _ http.Handler = (*Server)(nil)

// Server is the endpoint. It is safe for concurrent use.
type Server struct {
	region  string
	path    string
	clock   clockwork.Clock
	onError func(error)
	actions map[string]action

	closing   chan struct{} // closed by Close: ends long polls and the snapshot loop
	closeOnce sync.Once
	loop      sync.WaitGroup

	mu        sync.Mutex
	queues    map[string]*queue
	moveTasks []moveTask
	sequence  uint64 // of the last message sent: keeps messages of one instant in order
	dirty     bool
}

// New returns a server with the state kept at Options.Path, if there is any. Close releases it.
func New(o Options) (*Server, error) {
	s := &Server{
		region: o.Region, path: o.Path, clock: o.Clock, onError: o.OnError,
		closing: make(chan struct{}), queues: map[string]*queue{},
	}
	if s.region == "" {
		s.region = "us-east-1"
	}
	if s.clock == nil {
		s.clock = clockwork.NewRealClock()
	}
	if s.onError == nil {
		s.onError = func(error) {}
	}
	s.actions = s.newActions()
	if s.path == "" {
		return s, nil
	}
	if err := s.load(); err != nil {
		return nil, err
	}
	s.loop.Go(s.saveLoop)
	return s, nil
}

// Close ends long polls, which answer with what they have, and writes the state file. It is idempotent; the handler
// must not be given new requests after it.
func (s *Server) Close() error {
	var err error
	s.closeOnce.Do(func() {
		close(s.closing)
		s.loop.Wait()
		err = s.save()
	})
	return err
}

// ServeHTTP answers one call of the AWS JSON 1.0 protocol:
// https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	out, err := s.serve(w, r)
	status := http.StatusOK
	if err != nil {
		var e *apiError
		if !errors.As(err, &e) {
			e = &apiError{code: "InternalError", message: err.Error(), status: http.StatusInternalServerError}
		}
		status, out = e.httpStatus(), e
		w.Header().Set("X-Amzn-Query-Error", e.queryCode()+";Sender")
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.WriteHeader(status)
	// The client hung up; there is nobody left to tell.
	_ = json.NewEncoder(w).Encode(out)
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) (any, error) {
	name, ok := strings.CutPrefix(r.Header.Get("X-Amz-Target"), "AmazonSQS.")
	if r.Method != http.MethodPost || !ok {
		return nil, errorf("InvalidAction", "this endpoint speaks the AWS JSON 1.0 protocol of SQS only")
	}
	act, ok := s.actions[name]
	if !ok {
		return nil, errorf("UnsupportedOperation", "%s is not available here", name)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		return nil, errorf("InvalidMessageContents", "read the request: %v", err)
	}
	return act(r.Context(), "http://"+r.Host, body)
}
