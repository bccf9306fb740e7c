package storage

import "time"

// Pool is one service in one region, with the bucket that holds its copies.
type Pool struct {
	Service string
	Region  string
	Bucket  string

	// Endpoint is the base URL of an S3-compatible server. Empty means AWS.
	Endpoint string
	// PathStyle puts the bucket in the path instead of the host name. Most S3-compatible servers
	// need it.
	PathStyle bool
	// PublicURL, if set, is the base URL of a publicly readable bucket. Redirects then go to
	// PublicURL/<key> unsigned. Empty means presigned redirects to a private bucket.
	PublicURL string
	// PresignFor is the longest validity of a presigned redirect.
	PresignFor time.Duration
	// Lifespan is how long the bucket's lifecycle rule keeps a copy, in whole days. 0 means for
	// ever.
	Lifespan time.Duration
	// CORS has Setup add a CORS rule by which scripts of every site can read copies. Otherwise Setup
	// removes that rule.
	CORS bool
	// Checksum is the checksum with which the server verifies uploads. Empty means
	// ChecksumCRC64NVME.
	Checksum Checksum
	// SignPayload hashes uploads for their signatures, for servers that require it. Without it, the
	// checksum and, with https, the transport guard uploads.
	SignPayload bool
	// Overwrite turns conditional writes off, for servers without them. A worker that was frozen
	// for long could then overwrite a newer copy with an old copy.
	Overwrite bool
	// DownloadActive has copies of active content (HTML, SVG, XML, scripts) stored so that browsers
	// download them.
	DownloadActive bool
	// Owners are the ids of the AWS accounts that must own the deployment's buckets on this server,
	// by bucket. Any account may own a bucket that is not in it.
	Owners map[string]string
	// HeaderTimeout is how long S3 may take to send the head of a response. Copies by the server and
	// completions have deadlines of their own instead. Zero is no limit.
	HeaderTimeout time.Duration
}

// ID names the pool in URLs, messages, task queues and logs, e.g. s3_us-west-2.
func (p Pool) ID() string { return PoolID(p.Service, p.Region) }

// PoolID joins service and region. It is injective because neither contains an underscore, which
// the configuration enforces.
func PoolID(service, region string) string { return service + "_" + region }
