package storage

import "time"

// SetCopyLimit has larger objects copied in parts.
func (b *Bucket) SetCopyLimit(bytes int64) { b.copyLimit = bytes }

// SetSlowCopy changes the limits of a copy in one call: its time-out without the time for its bytes,
// and the size of the parts that replace it.
func (b *Bucket) SetSlowCopy(timeout time.Duration, part int64) {
	b.copyLimit, b.fixedTimeout, b.splitPart = maxCopyObject, timeout, part
}

// Header returns the value of x-amz-copy-source.
func (s CopySource) Header() string { return s.header() }
