package activities

import (
	"time"

	"github.com/cloud-mirror/cloud-mirror/activities/copier"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// HeadSourceInput is the input of [Activities.HeadSource].
type HeadSourceInput struct {
	Source SealedObject `json:"source"`
}

// HeadSourceResult is what is known before a copy.
type HeadSourceResult struct {
	Meta origin.Meta `json:"meta"`
	// Generation is the object's purge generation, under which the copy is begun.
	Generation int64 `json:"generation"`
	// Stored is the copy that the bucket has already, if it has one that was not purged: nothing is to be copied then.
	Stored *Copy `json:"stored,omitempty"`
	// Replaces is the ETag of what the bucket has in the copy's place, if it may be overwritten.
	Replaces string `json:"replaces,omitempty"`
	// CopyID is by which the copy of what HeadSource saw knows itself again.
	CopyID string `json:"copyID,omitempty"`
}

// StreamCopyInput is the input of [Activities.StreamCopy].
type StreamCopyInput struct {
	Source     SealedObject `json:"source"`
	Meta       origin.Meta  `json:"meta"`
	Generation int64        `json:"generation"`
	Replaces   string       `json:"replaces,omitempty"`
	CopyID     string       `json:"copyID,omitempty"`
	// SHA256 is what the copy must have, in hex; empty if nobody said.
	SHA256 string `json:"sha256,omitempty"`
	// Resume is where an earlier StreamCopy of the same CopyID left off.
	Resume copier.State `json:"resume,omitzero"`
}

// Copy is an object in the bucket, and what it took.
type Copy struct {
	Size      int64  `json:"size"`
	CRC64NVME string `json:"crc64nvme,omitempty"`
	// Expires is when the bucket deletes it; absent if it never does.
	Expires time.Time `json:"expires,omitzero"`
	// Way is how it was copied, in words.
	Way string `json:"way,omitempty"`
	// Fetched is how many bytes the last attempt read from the source, Resumed how many earlier ones had stored.
	Fetched int64 `json:"fetched,omitempty"`
	Resumed int64 `json:"resumed,omitempty"`
	// Restarted says why the last attempt had to begin anew, if it had to.
	Restarted string `json:"restarted,omitempty"`
	// Unverified is set if nobody can tell whether the source sent all of it.
	Unverified bool `json:"unverified,omitempty"`
}

// AbortUploadInput is the input of [Activities.AbortUpload].
type AbortUploadInput struct {
	Source SealedObject `json:"source"`
}

// SweepInput is the input of [Activities.SweepUploads].
type SweepInput struct {
	// OlderThan spares uploads that were begun since.
	OlderThan time.Duration `json:"olderThan"`
}

// SweepResult is how many uploads there were.
type SweepResult struct {
	Aborted int `json:"aborted"`
	Owned   int `json:"owned"`   // a running workflow's
	Young   int `json:"young"`   // begun too recently to tell
	Foreign int `json:"foreign"` // of keys that are not ours
}

// UpdateCacheInput is the input of [Activities.UpdateCache]: exactly one of Copy and Failure is set.
type UpdateCacheInput struct {
	Source     SealedObject `json:"source"`
	Generation int64        `json:"generation"`
	Copy       *Copy        `json:"copy,omitempty"`
	Failure    *Failure     `json:"failure,omitempty"`
}

// Failure is why a copy failed. It is the details of every error that an activity returns.
type Failure struct {
	Class     string `json:"class"`
	Status    int    `json:"status,omitempty"`
	Permanent bool   `json:"permanent"`
	Text      string `json:"text"`
}

// Progress is the details of StreamCopy's heartbeats, and the second of those of its errors.
type Progress struct {
	Done  int64 `json:"done"`  // bytes that the bucket has
	Total int64 `json:"total"` // -1 if not known
	// Resume is where the next attempt goes on.
	Resume copier.State `json:"resume,omitzero"`
}

// The error classes that do not come from [origin.Class], and the one of it that the workflow acts on.
const (
	ClassChanged   = string(origin.ClassChanged) // the source is no longer what HeadSource saw
	ClassPurged    = "Purged"                    // the object was purged while it was copied
	ClassStalled   = "SourceStalled"             // the source sent nothing, or next to nothing, for too long
	ClassDigest    = "DigestMismatch"            // the source is not what the request expects
	ClassHandover  = "HandedOver"                // the worker was stopped
	ClassStorage   = "StorageFailed"             // the bucket refused or did not answer
	ClassCache     = "CacheFailed"               // redis did not answer
	ClassSealed    = "SealedQuery"               // the worker can't read the URL's query
	ClassCancelled = "Cancelled"                 // somebody cancelled the copy
	ClassInternal  = "InternalError"             // anything else
)
