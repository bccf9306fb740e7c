package storage

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/minio/crc64nvme"
)

// ErrMismatch is returned if the body is not as long as declared, or if the bucket holds something else than what was
// sent. Nothing is left in the bucket.
var ErrMismatch = errors.New("stored object differs from the source")

// UploadInput is one object to store.
type UploadInput struct {
	Key  string
	Body io.Reader
	// Size is the length of Body in bytes, -1 if it is not known before its end.
	Size int64

	ContentType        string
	ContentEncoding    string
	ContentDisposition string
	ContentLanguage    string
	Metadata           map[string]string

	// Progress, if set, is called with the bytes stored so far after each part, from several goroutines.
	Progress func(stored int64)
}

// Upload stores Body under Key: all of it, verified by length and CRC64NVME, or nothing. Objects of at most one part
// are one PutObject; larger ones are a multipart upload that is aborted on any error.
//
// Errors of Body are returned wrapped, so that the caller can tell the source's fault from the bucket's.
func (b *Bucket) Upload(ctx context.Context, in UploadInput) (Stored, error) {
	partSize, err := planPartSize(in.Size, b.pool.PartSize)
	if err != nil {
		return Stored{}, b.wrap("upload", in.Key, err)
	}
	var stored Stored
	if in.Size >= 0 && in.Size <= partSize {
		stored, err = b.readAndPut(ctx, in)
	} else {
		stored, err = b.uploadParts(ctx, in, partSize)
	}
	if err != nil {
		return Stored{}, b.wrap("upload", in.Key, err)
	}
	return stored, nil
}

// readAndPut stores a body that is known to fit one part.
func (b *Bucket) readAndPut(ctx context.Context, in UploadInput) (Stored, error) {
	buf := make([]byte, in.Size)
	if n, err := io.ReadFull(in.Body, buf); err != nil {
		return Stored{}, short(err, int64(n), in.Size)
	}
	if err := expectEnd(in.Body); err != nil {
		return Stored{}, err
	}
	return b.put(ctx, in, buf)
}

// put stores a whole body.
func (b *Bucket) put(ctx context.Context, in UploadInput, body []byte) (Stored, error) {
	size := int64(len(body))
	sum := encodeCRC(crc64nvme.Checksum(body))
	out, err := b.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket:             &b.pool.Bucket,
		Key:                &in.Key,
		Body:               bytes.NewReader(body),
		ContentLength:      &size,
		ChecksumCRC64NVME:  &sum,
		ContentType:        optional(in.ContentType),
		ContentEncoding:    optional(in.ContentEncoding),
		ContentDisposition: optional(in.ContentDisposition),
		ContentLanguage:    optional(in.ContentLanguage),
		Metadata:           in.Metadata,
	})
	if err != nil {
		return Stored{}, err
	}
	if in.Progress != nil {
		in.Progress(size)
	}
	if aws.ToString(out.ChecksumCRC64NVME) != sum {
		// The server did not say that it checked: look at what it has.
		return b.verify(ctx, in.Key, size, sum)
	}
	return Stored{
		Size:       size,
		CRC64NVME:  sum,
		Expires:    expiry(out.Expiration, b.now(), b.pool.Lifespan),
		Generation: Generation(in.Metadata),
	}, nil
}

// verify compares what the bucket holds with what was sent, and removes it if it differs.
func (b *Bucket) verify(ctx context.Context, key string, size int64, sum string) (Stored, error) {
	stored, err := b.Head(ctx, key)
	if err != nil {
		return Stored{}, err
	}
	if stored.Size == size && (stored.CRC64NVME == sum || stored.CRC64NVME == "") {
		return stored, nil
	}
	err = fmt.Errorf("%w: sent %d bytes with CRC64NVME %s, stored %d with %s",
		ErrMismatch, size, sum, stored.Size, stored.CRC64NVME)
	return Stored{}, errors.Join(err, b.Delete(ctx, key))
}

// expectEnd makes sure that the body has nothing beyond its declared size.
func expectEnd(body io.Reader) error {
	var one [1]byte
	switch n, err := io.ReadFull(body, one[:]); {
	case n > 0:
		return fmt.Errorf("%w: the source sent more than it declared", ErrMismatch)
	case errors.Is(err, io.EOF):
		return nil
	default:
		return err
	}
}

func encodeCRC(crc uint64) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint64(nil, crc))
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// partBuffers keeps the buffers of parts between uploads; they are large, and making one means clearing it.
type partBuffers struct {
	size int64
	pool sync.Pool
}

func (p *partBuffers) get(size int64) []byte {
	if size == p.size {
		if buf, ok := p.pool.Get().(*[]byte); ok {
			return *buf
		}
	}
	return make([]byte, size)
}

func (p *partBuffers) put(buf []byte) {
	if int64(cap(buf)) == p.size {
		buf = buf[:p.size]
		p.pool.Put(&buf)
	}
}
