package frontend

import (
	"net/http"
	"time"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/workflows/copyid"
)

// workflowHeader names the workflow that copies the request's object.
const workflowHeader = "Cloud-Mirror-Workflow-Id"

// workflowID returns the id of the workflow that copies an object. There may have been no run of it.
// It holds no more of the URL than may be shown.
func workflowID(o storage.Object) string { return copyid.New(o.PoolID(), o.Shown(), o.Hash()) }

// setWorkflow names the workflow in an answer other than a hit. A hit allocates nothing, and has no
// copy to look for.
func setWorkflow(h http.Header, c *redirectRequest, why reason) {
	if why == reasonHit {
		return
	}
	if t, err := c.target(); err == nil {
		h[workflowHeader] = []string{workflowID(t.Object)}
	}
}

// nextRetry returns the time of the next attempt of a copy that waits for it, or nil.
func nextRetry(e cache.Entry, now time.Time) *time.Time {
	if !e.NextRetry.After(now) {
		return nil // There is none, or it has begun.
	}
	at := e.NextRetry.UTC()
	return &at
}
