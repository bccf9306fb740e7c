package storage

// SetCopyLimit has larger objects copied in parts.
func (b *Bucket) SetCopyLimit(bytes int64) { b.copyLimit = bytes }

// Header returns the value of x-amz-copy-source.
func (s CopySource) Header() string { return s.header() }
