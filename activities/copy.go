package activities

import "time"

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

// WayFound is the way of a copy that another attempt or another copy had made.
const WayFound = "found"
