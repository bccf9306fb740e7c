package copier

import (
	"fmt"
	"io"

	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// Small is the largest object of known length, in bytes, that is copied by one request to the
// source and one to the bucket.
const Small = 8 << 20

// firstBytes is how many bytes of an object of unknown length the first request reads, to find its
// end before them. If there is none, these bytes are fetched twice.
const firstBytes = 1 << 20

// unknownParts is the factor by which parts are larger if the source declares no length: S3 allows
// only 10,000 of them.
const unknownParts = 4

// mib is the unit of part sizes, in bytes.
const mib = 1 << 20

// partSize returns the size of an object's parts. It is the configured size, or unknownParts times
// that if the length is unknown (-1), except for two bounds:
//
//   - A medium object gets at least as many parts as may be in flight, so that it uses all
//     connections.
//   - A huge object gets no more parts than S3 allows.
//
// It fails for an object that S3 can't hold.
func (c *Copier) partSize(size int64) (int64, error) {
	want := unknownParts * c.PartSize
	if size >= 0 {
		want = min(size/int64(c.Parts), c.PartSize)
	}
	each, err := storage.PartSize(size, want)
	if err != nil {
		return 0, tooLarge("%s", err)
	}
	return min((each+mib-1)/mib*mib, storage.MaxPartSize), nil
}

// LargestPart returns the size of the largest part of any object up to maxSize, in bytes.
func LargestPart(maxSize, partSize int64) int64 {
	c := Copier{PartSize: partSize, Parts: 1}
	known, _ := c.partSize(maxSize) // An error is that of an object that S3 can't hold
	unknown, _ := c.partSize(-1)
	return max(known, unknown)
}

// tooLarge returns the error of an object that is too large for the pool or for S3.
func tooLarge(format string, args ...any) error {
	return &origin.Error{Class: origin.ClassTooLarge, Permanent: true, Text: fmt.Sprintf(format, args...)}
}

// limit fails if an object of this size is above the limit of the pool.
func (r *run) limit(size int64) error {
	most := r.copier.MaxSize
	if most == 0 || size <= most {
		return nil
	}
	return tooLarge("the object has %d bytes, and max_size is %d", size, most)
}

// tooSmall reports whether an object of this size, or of unknown size (-1), is known to be smaller
// than the minimum. What counts is the size of the bytes to store, with their content coding.
func tooSmall(size, minSize int64) bool { return size >= 0 && size < minSize }

// limited reads a stream, and fails as soon as the source has sent more than the limit of the pool.
func (r *run) limited(src io.Reader) io.Reader {
	if r.copier.MaxSize == 0 {
		return src
	}
	return readFunc(func(p []byte) (int, error) {
		n, err := src.Read(p)
		if r.received += int64(n); r.received > r.copier.MaxSize {
			err = tooLarge("the source sent more than max_size, %d bytes", r.copier.MaxSize)
		}
		return n, err
	})
}

// readFunc implements [io.Reader].
type readFunc func(p []byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

// part is a range of the object.
type part struct {
	number int32 // From 1
	off, n int64 // Bytes
}

// parts divides an object of a known size.
func parts(size, each int64) []part {
	var all []part
	for off := int64(0); off < size; off += each {
		all = append(all, part{number: int32(len(all)) + 1, off: off, n: min(each, size-off)}) //nolint:gosec // 10,000 at most
	}
	return all
}
