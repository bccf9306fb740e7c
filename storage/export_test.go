package storage

// SetCopyLimit makes objects of more bytes be copied in parts.
func (b *Bucket) SetCopyLimit(bytes int64) { b.copyLimit = bytes }

// CopySource is the source as it is sent to the server.
func (s Source) CopySource() string { return s.header() }
