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

// maxRequest is the limit on a request body, in bytes: ten messages of 1 MiB, and room for JSON
// escapes.
const maxRequest = 64 << 20

// saveInterval is how often saveLoop writes a changed state. saveRest is the least time from one write
// to the next, as a multiple of the time that the first write took. Without it, writing 50,000 messages
// took almost half as much CPU as Temporal.
const (
	saveInterval = time.Second
	saveRest     = 20
)

// Options configures a [Server]. The zero value is an in-memory server in us-east-1.
type Options struct {
	Region string // In queue ARNs; us-east-1 if empty
	// Path names the state file. Two servers must not share it. An empty Path keeps no state.
	Path string
	// Clock decides visibility, delays, retention and long polls. Nil is the wall clock.
	Clock clockwork.Clock
	// OnError receives failures to write the state file while the server runs. Nil drops them.
	OnError func(error)
	// OnSend receives each accepted message: the queue's name, and the body. It must not call the
	// server. Nil drops them.
	OnSend func(queue, body string)
}

var _ http.Handler = (*Server)(nil)

// Server serves the SQS API. It is safe for concurrent use.
type Server struct {
	region  string
	path    string
	clock   clockwork.Clock
	onError func(error)
	onSend  func(queue, body string)
	actions map[string]action

	closing   chan struct{} // Closed by Close: ends long polls and saveLoop
	closeOnce sync.Once
	loop      sync.WaitGroup

	mu        sync.Mutex
	queues    map[string]*queue
	moveTasks []moveTask
	sequence  uint64 // Of the last message sent: orders messages of one instant
	dirty     bool
	journal   journal
}

// New returns a server. It loads the state file at Options.Path if it exists. It fails if that
// file is unreadable or has another version. The caller must Close the server.
func New(o Options) (*Server, error) {
	s := &Server{
		region: o.Region, path: o.Path, clock: o.Clock, onError: o.OnError, onSend: o.OnSend,
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
	if s.onSend == nil {
		s.onSend = func(string, string) {}
	}
	s.actions = s.newActions()
	if s.path == "" {
		return s, nil
	}
	s.journal.path = s.path + ".journal"
	if err := s.load(); err != nil {
		return nil, err
	}
	s.loop.Go(s.saveLoop)
	return s, nil
}

// Close ends long polls, which answer without a message, and writes the state file. It is
// idempotent. The caller must send no request after it.
func (s *Server) Close() error {
	var err error
	s.closeOnce.Do(func() {
		close(s.closing)
		s.loop.Wait()
		err = errors.Join(s.save(), s.journal.close())
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
	// An error means that the client has hung up.
	_ = json.NewEncoder(w).Encode(out)
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) (any, error) {
	name, ok := strings.CutPrefix(r.Header.Get("X-Amz-Target"), "AmazonSQS.")
	if r.Method != http.MethodPost || !ok {
		return nil, errorf("InvalidAction", "this endpoint supports only the AWS JSON 1.0 protocol of SQS")
	}
	act, ok := s.actions[name]
	if !ok {
		return nil, errorf("UnsupportedOperation", "%s is not supported by this server", name)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		return nil, errorf("InvalidMessageContents", "read the request: %v", err)
	}
	return act(r.Context(), "http://"+r.Host, body)
}
