package frontend

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/cloud-mirror/cloud-mirror/frontend/conns"
)

// lineTimeout is how long a client may take to send a line, or to read an answer.
const lineTimeout = time.Minute

// listWriter streams the answer to a list. It is safe for concurrent use.
type listWriter struct {
	mu      sync.Mutex
	w       http.ResponseWriter
	control *http.ResponseController
	ctx     context.Context // It names the connection.
}

func newListWriter(ctx context.Context, w http.ResponseWriter) *listWriter {
	o := &listWriter{w: w, ctx: ctx, control: http.NewResponseController(w)}
	// The first answers are written while the list is still being read.
	_ = o.control.EnableFullDuplex()
	commonHeaders(w.Header())
	w.Header().Set("Content-Type", "application/x-ndjson")
	// The rest of the list after a time-out must not be parsed as another request.
	w.Header().Set("Connection", "close")
	w.WriteHeader(http.StatusOK)
	o.extend()
	return o
}

// extend gives the client time for another line.
func (o *listWriter) extend() {
	conns.Progress(o.ctx)
	deadline := time.Now().Add(lineTimeout)
	_ = o.control.SetReadDeadline(deadline)
	_ = o.control.SetWriteDeadline(deadline)
}

// end reads the rest of the list. Otherwise the client could lose the last answers to a connection
// reset.
func (o *listWriter) end(list io.Reader) {
	o.extend()
	_, _ = io.Copy(io.Discard, io.LimitReader(list, 16*maxLine))
}

func (o *listWriter) write(line listAnswer) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.extend()
	_, _ = o.w.Write(render(line))
	_ = o.control.Flush()
}
