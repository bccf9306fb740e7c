package activities

import (
	"time"

	"github.com/cloud-mirror/cloud-mirror/storage"
)

// Copy is an object in the bucket, and how it was copied.
type Copy struct {
	Size      int64  `json:"size"`
	CRC64NVME string `json:"crc64nvme,omitempty"`
	// SHA256 is the digest in lower-case hex, if it is known.
	SHA256 string `json:"sha256,omitempty"`
	// Expires is when the bucket deletes the object; absent if it never does.
	Expires time.Time `json:"expires,omitzero"`
	// Way is how the object was copied, in words: [WayFound], or a way of package copier.
	Way string `json:"way,omitempty"`
	// Fetched counts the bytes that the last attempt read from the source, Resumed those that
	// earlier attempts stored.
	Fetched int64 `json:"fetched,omitempty"`
	Resumed int64 `json:"resumed,omitempty"`
	// Restarted is the reason why the last attempt restarted the copy; empty if it did not.
	Restarted string `json:"restarted,omitempty"`
	// Attempts counts the attempts of StreamCopy, without those that used up none.
	Attempts int32 `json:"attempts,omitempty"`
	// Unverified is set if the source's framing can't show whether it sent the whole object.
	Unverified bool `json:"unverified,omitempty"`
}

func copyOf(s storage.Stored) Copy {
	return Copy{Size: s.Size, CRC64NVME: s.CRC64NVME, SHA256: s.SHA256, Expires: s.Expires}
}

// found reports whether the copy was in the bucket already. HeadSource leaves its way empty.
func (c Copy) found() bool { return c.Way == "" || c.Way == WayFound }

// WayFound is the way of a copy that StreamCopy found in the bucket: an earlier attempt or another
// copy made it.
const WayFound = "found"
