package activities

import (
	"github.com/cloud-mirror/cloud-mirror/activities/copier"
)

// Progress is the details of StreamCopy's heartbeats, and the second of those of its errors.
type Progress struct {
	Done  int64 `json:"done"`  // bytes that the bucket has
	Total int64 `json:"total"` // -1 if not known
	// Resume is where the next attempt goes on.
	Resume copier.State `json:"resume,omitzero"`
}

// progress is where the copy is now.
func (t *transfer) progress() Progress {
	p := Progress{Total: t.in.Meta.Size, Resume: t.last.Resume}
	if t.job != nil {
		p.Done = t.job.Counters.Stored.Load()
	}
	if s := t.state.Load(); s != nil {
		p.Resume = *s
	}
	if p.Resume.Upload != "" && p.Resume.Upload == t.last.Resume.Upload {
		// Of an attempt that did not come to look at the parts, they are there all the same.
		p.Done = max(p.Done, t.last.Done)
	}
	return p
}
