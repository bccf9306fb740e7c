package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// limitBuffer is in bytes. A larger buffer is no faster.
const limitBuffer = 1 << 20

// copyLimit does the work that no copy can avoid. It reads the object and drops it. Then it stores
// as many bytes from memory in one request. The request has neither a checksum nor a hash for the
// signature.
func copyLimit(ctx context.Context, t task) (out outcome, err error) {
	c := t.Copies[0]
	start := time.Now()
	if err := getToNowhere(ctx, c); err != nil {
		return out, fmt.Errorf("GET %s: %w", c.URL, err)
	}
	out.Get = time.Since(start)
	start = time.Now()
	if err := t.putFromMemory(ctx, c); err != nil {
		return out, err
	}
	out.Put = time.Since(start)
	return out, nil
}

func getToNowhere(ctx context.Context, c job) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.URL, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	nowhere := struct{ io.Writer }{io.Discard} // Hides io.Discard's ReadFrom, which reads 8 KiB at a time
	n, err := io.CopyBuffer(nowhere, resp.Body, make([]byte, limitBuffer))
	if err == nil && n != c.Size {
		err = fmt.Errorf("received %d bytes instead of %d", n, c.Size)
	}
	return err
}

func (t task) putFromMemory(ctx context.Context, c job) error {
	cfg, err := awsconfig.LoadDefaultConfig(ctx,
		awsconfig.WithHTTPClient(awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
			t.WriteBufferSize = limitBuffer
		})))
	if err != nil {
		return err
	}
	client := s3.NewFromConfig(cfg, func(o *s3.Options) {
		o.Region, o.BaseEndpoint, o.UsePathStyle = t.Region, &t.Endpoint, true
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		o.APIOptions = append(o.APIOptions, v4.SwapComputePayloadSHA256ForUnsignedPayloadMiddleware)
	})
	_, err = client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: aws.String(bucketName), Key: &c.Key,
		ContentLength: &c.Size, Body: io.NewSectionReader(memory{}, 0, c.Size),
	})
	return err
}

// memory is an endless object that repeats the pattern.
type memory struct{}

func (memory) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) {
		n += copy(p[n:], pattern()[(off+int64(n))%int64(len(pattern())):])
	}
	return n, nil
}
