package activities

import (
	"time"

	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// HeadSourceInput is the input of [Activities.HeadSource].
type HeadSourceInput struct {
	Source Source `json:"source"`
}

// HeadSourceResult is what is known before a copy.
type HeadSourceResult struct {
	Meta origin.Meta `json:"meta"`
	// Generation is the object's purge generation, under which the copy is begun.
	Generation int64 `json:"generation"`
	// Stored is the copy that the bucket has already, if it has one that was not purged: nothing is to be copied then.
	Stored *Copy `json:"stored,omitempty"`
}

// StreamCopyInput is the input of [Activities.StreamCopy].
type StreamCopyInput struct {
	Source     Source      `json:"source"`
	Meta       origin.Meta `json:"meta"`
	Generation int64       `json:"generation"`
}

// Copy is an object in the bucket.
type Copy struct {
	Size      int64  `json:"size"`
	CRC64NVME string `json:"crc64nvme,omitempty"`
	// Expires is when the bucket deletes it; absent if it never does.
	Expires time.Time `json:"expires,omitzero"`
}

// UpdateCacheInput is the input of [Activities.UpdateCache]: exactly one of Copy and Failure is set.
type UpdateCacheInput struct {
	Source     Source   `json:"source"`
	Generation int64    `json:"generation"`
	Copy       *Copy    `json:"copy,omitempty"`
	Failure    *Failure `json:"failure,omitempty"`
}

// Failure is why a copy failed. It is the details of every error that an activity returns.
type Failure struct {
	Class     string `json:"class"`
	Status    int    `json:"status,omitempty"`
	Permanent bool   `json:"permanent"`
	Text      string `json:"text"`
}

// Progress is the details of StreamCopy's heartbeats.
type Progress struct {
	Done  int64 `json:"done"`
	Total int64 `json:"total"`
}

// The error classes that do not come from [origin.Class], and the one of it that the workflow acts on.
const (
	ClassChanged   = string(origin.ClassChanged) // the source is no longer what HeadSource saw
	ClassPurged    = "Purged"                    // the object was purged while it was copied
	ClassStalled   = "SourceStalled"             // the source sent nothing for too long
	ClassHandover  = "HandedOver"                // the worker was stopped
	ClassStorage   = "StorageFailed"             // the bucket refused or did not answer
	ClassCache     = "CacheFailed"               // redis did not answer
	ClassSealed    = "SealedQuery"               // the worker can't read the URL's query
	ClassCancelled = "Cancelled"                 // somebody cancelled the copy
	ClassInternal  = "InternalError"             // anything else
)
