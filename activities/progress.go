package activities

import (
	"github.com/cloud-mirror/cloud-mirror/activities/copier"
)

// Progress is the payload of StreamCopy's heartbeats, and the second detail of its errors.
type Progress struct {
	Done  int64 `json:"done"`  // Bytes in the bucket
	Total int64 `json:"total"` // Bytes of the object; -1 if unknown
	// Resume is the state from which the next attempt resumes.
	Resume copier.State `json:"resume,omitzero"`
	// Row is the row of failures that the last attempt ended with.
	Row FailureRow `json:"row,omitzero"`
	// Free counts the attempts of this series that used up none: the copy was handed over, or waited
	// for its turn.
	Free int32 `json:"free,omitempty"`
}

// Idle reports whether another attempt could resume nothing. Such a copy may wait for a worker, for its
// turn, or for a slow source. A client's request schedules its activity again, at the client's priority.
func (p Progress) Idle() bool { return p.Done == 0 && p.Resume.Upload == "" && !p.Resume.Stream }

// progress returns how far the copy is.
func (t *transfer) progress() Progress {
	counters := &t.job.Counters
	p := Progress{Done: counters.Stored.Load(), Total: counters.Size.Load(), Resume: t.last.Resume, Row: t.last.Row, Free: t.last.Free}
	if s := t.state.Load(); s != nil {
		p.Resume = *s
	}
	if p.Resume.Upload != "" && p.Resume.Upload == t.last.Resume.Upload {
		// Same upload: its parts are stored even if this attempt failed before it listed them.
		p.Done = max(p.Done, t.last.Done)
	}
	return p
}
