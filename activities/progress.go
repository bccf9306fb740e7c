package activities

import (
	"fmt"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/cloud-mirror/cloud-mirror/activities/copier"
)

// Progress is the payload of StreamCopy's heartbeats, and the second detail of its errors.
type Progress struct {
	Done  int64 `json:"done"`  // Bytes in the bucket
	Total int64 `json:"total"` // Bytes of the object; -1 if unknown
	// Fetched counts the bytes that the attempt has read from the source.
	Fetched int64 `json:"fetched,omitempty"`
	// Now describes the attempt for people, such as "12 MiB of 98 MiB (12 %), 20 MiB/s, 4 s left".
	Now string `json:"now,omitempty"`
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
	p := Progress{
		Done: counters.Stored.Load(), Total: counters.Size.Load(), Fetched: counters.Fetched.Load(),
		Resume: t.last.Resume, Row: t.last.Row, Free: t.last.Free,
	}
	if s := t.state.Load(); s != nil {
		p.Resume = *s
	}
	if p.Resume.Upload != "" && p.Resume.Upload == t.last.Resume.Upload {
		// Same upload: its parts are stored even if this attempt failed before it listed them.
		p.Done = max(p.Done, t.last.Done)
	}
	reading, _ := counters.Connected()
	p.Now = p.words(reading)
	return p
}

// words describes the progress of an attempt that has read from the source for some time. The rate is
// that of the source. Bytes in the bucket follow with each part.
func (p Progress) words(reading time.Duration) string {
	text := size(p.Done) + " stored"
	if p.Total > 0 {
		text = fmt.Sprintf("%s of %s (%d %%) stored", size(p.Done), size(p.Total), 100*p.Done/p.Total)
	}
	if p.Fetched == 0 || reading < time.Second {
		return text
	}
	rate := float64(p.Fetched) / reading.Seconds()
	text += fmt.Sprintf(", %s/s", size(int64(rate)))
	if p.Total > 0 {
		left := time.Duration(float64(p.Total-p.Done) / rate * float64(time.Second))
		text += fmt.Sprintf(", %s left", left.Round(time.Second))
	}
	return text
}

func size(bytes int64) string { return humanize.IBytes(uint64(max(bytes, 0))) }
