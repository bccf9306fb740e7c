package storage

import (
	"context"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

const (
	// fixedTimeout is the part of a call's time-out that does not depend on its size.
	fixedTimeout = time.Minute
	// completeTimeout bounds the completion of an upload, which "could take several minutes"
	// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html).
	completeTimeout = 10 * time.Minute
)

// The least rates of calls, in bytes per second. A call of n bytes may take n/rate longer than
// fixedTimeout.
const (
	// uploadRate is for bytes that this process sends: 8 MiB have about 3 minutes.
	uploadRate = 64 << 10
	// copyRate is for an object that the server copies in one call: 5 GiB have about 4 minutes. That
	// is less than the 5 minutes after which a copy without progress counts as stalled.
	copyRate = 32 << 20
	// partCopyRate is for one of copiesInFlight parts that share a server: 512 MiB have about
	// 3 minutes.
	partCopyRate = copyRate / copiesInFlight
)

// within returns a context for a call that moves n bytes.
func (b *Bucket) within(ctx context.Context, n, rate int64) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, b.fixedTimeout+time.Duration(float64(n)/float64(rate)*float64(time.Second)))
}

// withHeaderTimeout returns the client with a limit of the time between a request and the head of its
// response; zero is no limit. A client of another type has no such limit.
func withHeaderTimeout(c aws.HTTPClient, timeout time.Duration) aws.HTTPClient {
	buildable, ok := c.(*awshttp.BuildableClient)
	if !ok {
		return c
	}
	return buildable.WithTransportOptions(func(t *http.Transport) { t.ResponseHeaderTimeout = timeout })
}

// patient lifts the limit for a response's head: the server may work for minutes before it sends one.
// Such a call has a deadline.
func (b *Bucket) patient(o *s3.Options) { o.HTTPClient = b.unlimited }
