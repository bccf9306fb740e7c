package storage

import "time"

// Pool is one service in one region, and the bucket that holds its copies.
type Pool struct {
	Service string
	Region  string
	Bucket  string

	// Endpoint is the base URL of an S3-compatible server; empty means AWS.
	Endpoint string
	// PathStyle addresses the bucket in the path and not in the host name, as most S3-compatible servers want.
	PathStyle bool
	// PublicURL, if set, is the base URL under which everybody can read the bucket; redirects then go to
	// PublicURL/<key> unsigned. Empty means presigned redirects to a private bucket.
	PublicURL string
	// PresignFor is the longest validity of a presigned redirect.
	PresignFor time.Duration
	// Lifespan is how long the bucket's lifecycle rule keeps a copy; 0 means for ever.
	Lifespan time.Duration
	// PartSize is the size of an uploaded part in bytes, at least 5 MiB (AWS's minimum), more for objects that would
	// have more than 10,000 parts.
	PartSize int64
}

// ID names the pool in URLs, messages, task queues and logs, e.g. s3_us-west-2.
func (p Pool) ID() string { return PoolID(p.Service, p.Region) }

// PoolID joins service and region. It is injective because neither may contain an underscore (the configuration sees
// to that).
func PoolID(service, region string) string { return service + "_" + region }
