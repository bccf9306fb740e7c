package storage

import "time"

// SetCopyLimit has larger objects copied in parts.
func (b *Bucket) SetCopyLimit(bytes int64) { b.copyLimit = bytes }

// SetFixedTimeout changes the time-out of a call without the time for its bytes.
func (b *Bucket) SetFixedTimeout(timeout time.Duration) { b.fixedTimeout = timeout }

// SetSplitPart changes the size of the parts that replace a copy in one call.
func (b *Bucket) SetSplitPart(bytes int64) { b.splitPart = bytes }

// Header returns the value of x-amz-copy-source.
func (s CopySource) Header() string { return s.header() }

// Len returns the number of forms that are kept.
func (f *Forms) Len() int { return len(f.recent) }
