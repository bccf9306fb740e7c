package copier

import (
	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// Small is the size up to which an object is one request to the source and one to the bucket, in bytes.
const Small = 8 << 20

// IsSmall tells whether a copy of the object is a matter of one request.
func IsSmall(m origin.Meta) bool { return m.Size >= 0 && m.Size <= Small }

// unknownParts is how many times as large parts are if nobody knows how many there will be: 10,000 of them are the limit.
const unknownParts = 4

// mib is what sizes of parts are multiples of, in bytes.
const mib = 1 << 20

// partSize plans the parts of an object: as many at least as may be under way, so that even an object of middling size
// uses all connections, no more than S3 takes, and otherwise of the configured size.
func (c *Copier) partSize(size int64) (int64, error) {
	want := unknownParts * c.PartSize
	if size >= 0 {
		want = min(size/int64(c.Parts), c.PartSize)
	}
	each, err := storage.PartSize(size, want)
	return min((each+mib-1)/mib*mib, storage.MaxPartSize), err
}

func tooLarge(err error) error {
	return &origin.Error{Class: origin.ClassUnverifiable, Permanent: true, Text: err.Error()}
}
