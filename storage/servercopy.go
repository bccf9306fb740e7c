package storage

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"
)

const (
	// maxCopyObject is the most that CopyObject copies, in bytes
	// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html).
	maxCopyObject = 5 << 30
	// copyPart is what UploadPartCopy copies at a time, in bytes: enough that a 48.8 TiB object fits, and little enough that
	// several are under way.
	copyPart = 512 << 20
	// copiesInFlight is how many of them are.
	copiesInFlight = 8
)

// ErrNotCopied is returned if the server can't copy a source by itself: the credentials can't read it, or it is not what
// it was, or the server has no such call. Nothing is left behind; the bytes have to be streamed.
var ErrNotCopied = errors.New("not copied by the server")

// Source is an object in an S3 bucket that the pool's own server can read.
type Source struct {
	Bucket, Key string
	Region      string // empty if its URL does not tell
	ETag        string // what it must have
	Size        int64  // bytes
}

// SourceOf tells whether the URL, which may have no query, is that of an object in an S3 that the pool belongs to: AWS,
// or the same endpoint.
func (p Pool) SourceOf(rawURL string) (Source, bool) {
	u, err := url.Parse(rawURL)
	if err != nil || u.RawQuery != "" || strings.Contains(u.EscapedPath(), "+") {
		return Source{}, false // S3 takes a plus sign for a space in some places and not in others
	}
	var src Source
	if p.Endpoint == "" {
		if strings.HasPrefix(p.Region, "cn-") {
			return Source{}, false // another partition
		}
		// https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html; neither websites nor accelerated ones.
		host := regexp.MustCompile(`^(?:(.+)\.)?s3(?:\.dualstack)?(?:[.-]([a-z]{2}(?:-[a-z]+)+-\d))?\.amazonaws\.com$`).
			FindStringSubmatch(u.Host)
		if host == nil {
			return Source{}, false
		}
		src.Bucket, src.Region = host[1], host[2]
	} else {
		e, err := url.Parse(p.Endpoint)
		bucket, isSub := strings.CutSuffix(u.Host, "."+hostOf(e))
		if err != nil || u.Host != hostOf(e) && !isSub {
			return Source{}, false
		}
		if isSub {
			src.Bucket = bucket
		}
		src.Region = p.Region
	}
	src.Key = strings.TrimPrefix(u.Path, "/")
	if src.Bucket == "" {
		src.Bucket, src.Key, _ = strings.Cut(src.Key, "/")
	}
	return src, src.Bucket != "" && src.Key != ""
}

func hostOf(u *url.URL) string {
	if u == nil {
		return ""
	}
	return strings.ToLower(u.Host)
}

// CopyFrom has the server copy the source by itself. It fails with [ErrNotCopied] where streaming may do better, and with
// [ErrConflict] where it would not.
func (b *Bucket) CopyFrom(ctx context.Context, in Input, src Source) (Stored, error) {
	want, err := b.look(ctx, src)
	if err != nil {
		return Stored{}, b.wrap("copy to", in.Key, err)
	}
	if src.Size <= b.copyLimit {
		err = b.copyObject(ctx, in, src)
	} else {
		err = b.copyParts(ctx, in, src)
	}
	var stored Stored
	if err != nil {
		stored, err = b.settle(ctx, in, want, err)
	} else {
		stored, err = b.verify(ctx, in, want)
	}
	switch {
	case err == nil:
		return stored, nil
	case ctx.Err() == nil && !errors.Is(err, ErrConflict):
		err = fmt.Errorf("%w: %w", ErrNotCopied, err)
	}
	return Stored{}, b.wrap("copy to", in.Key, err)
}

// look makes sure that the credentials can read the source, and that it is the one that is meant.
func (b *Bucket) look(ctx context.Context, src Source) (Stored, error) {
	out, err := b.client.HeadObject(ctx, &s3.HeadObjectInput{
		Bucket: &src.Bucket, Key: &src.Key, ChecksumMode: types.ChecksumModeEnabled, IfMatch: optional(src.ETag),
	}, func(o *s3.Options) {
		if src.Region != "" {
			o.Region = src.Region
		}
	})
	switch {
	case ctx.Err() != nil:
		return Stored{}, ctx.Err()
	case err != nil:
		return Stored{}, fmt.Errorf("%w: look at the source: %w", ErrNotCopied, err)
	case aws.ToInt64(out.ContentLength) != src.Size || aws.ToString(out.ETag) != src.ETag:
		return Stored{}, fmt.Errorf("%w: the source is another one", ErrNotCopied)
	}
	want := Stored{Size: src.Size}
	if out.ChecksumType != types.ChecksumTypeComposite {
		want.CRC64NVME = aws.ToString(out.ChecksumCRC64NVME)
	}
	return want, nil
}

// header is the source in the form of x-amz-copy-source.
func (s Source) header() string {
	return strings.ReplaceAll(url.QueryEscape(s.Bucket+"/"+s.Key), "+", "%20")
}

func (b *Bucket) copyObject(ctx context.Context, in Input, src Source) error {
	copyIn := &s3.CopyObjectInput{
		Bucket:             &b.pool.Bucket,
		Key:                &in.Key,
		CopySource:         aws.String(src.header()),
		CopySourceIfMatch:  &src.ETag,
		MetadataDirective:  types.MetadataDirectiveReplace,
		TaggingDirective:   types.TaggingDirectiveReplace, // else it would take another permission to read them
		ContentType:        optional(in.ContentType),
		ContentEncoding:    optional(in.ContentEncoding),
		ContentDisposition: optional(in.ContentDisposition),
		ContentLanguage:    optional(in.ContentLanguage),
		Metadata:           in.Metadata,
	}
	if b.Checksum() == ChecksumCRC64NVME {
		copyIn.ChecksumAlgorithm = types.ChecksumAlgorithmCrc64nvme
	}
	copyIn.IfMatch, copyIn.IfNoneMatch = b.conditions(in)
	_, err := b.client.CopyObject(ctx, copyIn)
	return err
}

// copyParts names no checksum algorithm: servers can't tell a copied part's. One that keeps checksums then computes the
// whole object's.
func (b *Bucket) copyParts(ctx context.Context, in Input, src Source) (err error) {
	created, err := b.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
		Bucket:             &b.pool.Bucket,
		Key:                &in.Key,
		ContentType:        optional(in.ContentType),
		ContentEncoding:    optional(in.ContentEncoding),
		ContentDisposition: optional(in.ContentDisposition),
		ContentLanguage:    optional(in.ContentLanguage),
		Metadata:           in.Metadata,
	})
	if err != nil {
		return err
	}
	u := Upload{Key: in.Key, ID: aws.ToString(created.UploadId)}
	defer func() {
		if err != nil {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
			defer cancel()
			err = errors.Join(err, b.AbortUpload(ctx, u))
		}
	}()
	parts, err := b.copyAll(ctx, u, src)
	if err != nil {
		return err
	}
	complete := &s3.CompleteMultipartUploadInput{
		Bucket:          &b.pool.Bucket,
		Key:             &in.Key,
		UploadId:        &u.ID,
		MpuObjectSize:   &src.Size,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	}
	complete.IfMatch, complete.IfNoneMatch = b.conditions(in)
	_, err = b.client.CompleteMultipartUpload(ctx, complete)
	return err
}

func (b *Bucket) copyAll(ctx context.Context, u Upload, src Source) ([]types.CompletedPart, error) {
	size, err := PartSize(src.Size, min(copyPart, b.copyLimit))
	if err != nil {
		return nil, err
	}
	parts := make([]types.CompletedPart, (src.Size+size-1)/size)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(copiesInFlight)
	for i := range parts {
		group.Go(func() error {
			number, first := int32(i)+1, int64(i)*size //nolint:gosec // there are 10,000 at most
			out, err := b.client.UploadPartCopy(ctx, &s3.UploadPartCopyInput{
				Bucket:            &b.pool.Bucket,
				Key:               &u.Key,
				UploadId:          &u.ID,
				PartNumber:        &number,
				CopySource:        aws.String(src.header()),
				CopySourceIfMatch: &src.ETag,
				CopySourceRange:   aws.String(fmt.Sprintf("bytes=%d-%d", first, min(first+size, src.Size)-1)),
			})
			if err != nil {
				return fmt.Errorf("part %d: %w", number, err)
			}
			parts[i] = types.CompletedPart{ETag: out.CopyPartResult.ETag, PartNumber: &number}
			return nil
		})
	}
	return parts, group.Wait()
}
