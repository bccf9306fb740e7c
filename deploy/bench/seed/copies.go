package seed

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/deploy/bench/client"
	"github.com/cloud-mirror/cloud-mirror/deploy/bench/load"
	"github.com/cloud-mirror/cloud-mirror/deploy/config"
	"github.com/cloud-mirror/cloud-mirror/deploy/local/stack"
	"github.com/cloud-mirror/cloud-mirror/storage"
)

const (
	lifespan = 30 * 24 * time.Hour
	workers  = 16
)

// Copies makes copies of n objects exist in the region of [client.Region]. url returns the URL of
// the i-th object.
func Copies(ctx context.Context, local *stack.Stack, n int, url func(i int) string) (err error) {
	entries, err := cache.Open(local.RedisURL(), cache.Options{Undecodable: func() {}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, entries.Close()) }()
	endpoint := local.S3Endpoint(client.Region)
	bucket := s3.New(s3.Options{
		Region: client.Region, BaseEndpoint: &endpoint, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(stack.AccessKey, stack.SecretKey, ""),
	})
	cfg, now := config.Default(), time.Now()
	name := stack.Bucket + "-" + client.Region
	space := cache.NewSpace(cfg.Redis.Prefix, storage.PoolID("s3", client.Region), endpoint, name)
	return load.AtOnce(n, workers, func(i int) error {
		o := storage.Object{Service: "s3", Region: client.Region, URL: url(i)}
		if _, err := bucket.PutObject(ctx, &s3.PutObjectInput{
			Bucket: aws.String(name), Key: aws.String(o.Key()), Body: strings.NewReader("copy"),
		}); err != nil {
			return err
		}
		return entries.Put(ctx, space.Key(o.Hash()), 0, cfg.Rules().Present(now, cache.Copy{Expires: now.Add(lifespan)}))
	})
}
