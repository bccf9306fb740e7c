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
	// Checksum is how the server verifies what it stores; ChecksumCRC64NVME if empty.
	Checksum Checksum
	// SignPayload has uploads hashed for their signatures, for servers that insist on it. The checksum and, with https,
	// the transport guard them already.
	SignPayload bool
	// Overwrite gives up on conditional writes, for servers that have none: a worker that was frozen for long could then
	// put an older copy over a newer one.
	Overwrite bool
}

// ID names the pool in URLs, messages, task queues and logs, e.g. s3_us-west-2.
func (p Pool) ID() string { return PoolID(p.Service, p.Region) }

// PoolID joins service and region. It is injective because neither may contain an underscore (the configuration sees
// to that).
func PoolID(service, region string) string { return service + "_" + region }
