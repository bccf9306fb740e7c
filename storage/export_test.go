package storage

// SetCopyLimit makes objects of more bytes be copied in parts.
func (b *Bucket) SetCopyLimit(bytes int64) { b.copyLimit = bytes }

// Header exports the value of x-amz-copy-source.
func (s CopySource) Header() string { return s.header() }
