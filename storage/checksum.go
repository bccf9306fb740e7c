package storage

import (
	"bytes"
	"crypto/md5" //nolint:gosec // for S3 servers without CRC64NVME; it guards against accidents
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"io"

	"github.com/minio/crc64nvme"
)

// Checksum is the checksum with which a pool's server verifies uploads.
type Checksum string

const (
	// ChecksumCRC64NVME is a checksum of the full object, also if it was uploaded in parts. The
	// server keeps it
	// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html).
	ChecksumCRC64NVME Checksum = "crc64nvme"
	// ChecksumMD5 is for servers without CRC64NVME. It is the MD5 of each part, from which the
	// server computes the object's ETag.
	ChecksumMD5 Checksum = "md5"
)

// New returns a hash for the bytes of a part or of a whole object.
func (c Checksum) New() hash.Hash {
	if c == ChecksumMD5 {
		return md5.New() //nolint:gosec // see the import
	}
	return crc64nvme.New()
}

// Body is the content of an object or of a part: Size bytes with Sum as their raw checksum of the
// pool's kind. A call reads it from its start, and again for each retry of the SDK. No call closes
// it.
type Body struct {
	io.ReadSeeker
	Size int64
	Sum  []byte
}

// Body returns the bytes as a body, with their checksum.
func (c Checksum) Body(b []byte) Body {
	h := c.New()
	h.Write(b)
	return Body{ReadSeeker: bytes.NewReader(b), Size: int64(len(b)), Sum: h.Sum(nil)}
}

// fullSum returns the checksum of the object that consists of the parts, in the form that the
// server reports: a base64 CRC64NVME, or the ETag of a multipart object.
func (c Checksum) fullSum(parts []Part) (string, error) {
	if c == ChecksumMD5 {
		return md5OfParts(parts)
	}
	var crc uint64
	for _, p := range parts {
		sum, err := base64.StdEncoding.DecodeString(p.Sum)
		if err != nil || len(sum) != crc64nvme.Size {
			return "", fmt.Errorf("part %d has no CRC64NVME", p.Number)
		}
		crc = combine(crc, binary.BigEndian.Uint64(sum), p.Size)
	}
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint64(nil, crc)), nil
}

// md5OfParts computes the ETag of a multipart object as S3 does for objects that are not encrypted
// with a customer's key.
func md5OfParts(parts []Part) (string, error) {
	h := md5.New() //nolint:gosec // see the import
	for _, p := range parts {
		sum, err := base64.StdEncoding.DecodeString(p.Sum)
		switch {
		case err != nil || len(sum) != md5.Size:
			return "", fmt.Errorf("part %d has no MD5", p.Number)
		case p.Sum != sumOfETag(p.ETag):
			return "", fmt.Errorf("%w: part %d has another MD5", ErrMismatch, p.Number)
		}
		h.Write(sum)
	}
	return fmt.Sprintf(`"%s-%d"`, hex.EncodeToString(h.Sum(nil)), len(parts)), nil
}

// nvmePolynomial is the polynomial of CRC-64/NVME. The highest bit is the coefficient of x^0
// (NVM Express NVM Command Set, section 5.2.1.3.4).
const nvmePolynomial = 0x9a6c9329ac4bc9b5

// combine returns the CRC64NVME of two concatenated byte strings, given the CRC of each and the
// length of the second in bytes. It multiplies the first CRC by x^(8·length) modulo the
// polynomial.
func combine(first, second uint64, length int64) uint64 {
	const x8 = 1 << (63 - 8)
	shift, square := uint64(1)<<63, uint64(x8)
	for n := uint64(length); n > 0; n >>= 1 { //nolint:gosec // a length is never negative
		if n&1 != 0 {
			shift = multiply(square, shift)
		}
		square = multiply(square, square)
	}
	return multiply(shift, first) ^ second
}

// multiply returns the product of two polynomials modulo nvmePolynomial.
func multiply(a, b uint64) (product uint64) {
	for bit := uint64(1) << 63; bit > 0; bit >>= 1 {
		if a&bit != 0 {
			product ^= b
		}
		carry := b & 1
		b >>= 1
		if carry != 0 {
			b ^= nvmePolynomial
		}
	}
	return product
}
