package storage

import (
	"net"
	"net/url"
	"regexp"
	"strings"
)

// CopySource is an object in an S3 bucket that the pool's own server can read.
type CopySource struct {
	Bucket, Key string
	Region      string // empty if its URL does not contain it
	ETag        string // required; the copy fails if the object has another
	Size        int64  // bytes; required like ETag
}

// header returns the value of x-amz-copy-source.
func (s CopySource) header() string {
	return strings.ReplaceAll(url.QueryEscape(s.Bucket+"/"+s.Key), "+", "%20")
}

// SourceOf returns the S3 object that the URL names, and whether the pool's server can read it: the
// object is in the same partition of AWS, or on the same endpoint. A URL with a query never
// qualifies. The caller sets ETag and Size.
func (p Pool) SourceOf(rawURL string) (CopySource, bool) {
	u, err := url.Parse(rawURL)
	if err != nil || u.RawQuery != "" || strings.Contains(u.EscapedPath(), "+") {
		return CopySource{}, false // S3 reads a plus sign as a space in some places only
	}
	locate := p.onEndpoint
	if p.Endpoint == "" {
		locate = p.onAWS
	}
	bucket, region, ok := locate(u)
	if !ok {
		return CopySource{}, false
	}
	key := strings.TrimPrefix(u.EscapedPath(), "/")
	if bucket == "" {
		bucket, key, _ = strings.Cut(key, "/")
	}
	// S3 treats an escaped slash as a slash.
	if key, err = url.PathUnescape(key); err != nil || key == "" || !regexp.MustCompile(bucketName).MatchString(bucket) {
		return CopySource{}, false
	}
	return CopySource{Bucket: bucket, Key: key, Region: region}, true
}

const (
	// bucketName matches bucket names under today's rules and earlier ones
	// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html).
	bucketName = `^[A-Za-z0-9][A-Za-z0-9._-]{2,254}$`
	// awsHost matches the hosts of
	// https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html, except websites
	// and accelerated hosts.
	awsHost = `^(?:(.+)\.)?s3(?:\.dualstack)?(?:[.-]([a-z]{2}(?:-[a-z]+)+-\d))?\.amazonaws\.com:(?:80|443)$`
	// otherPartition matches regions outside the commercial partition, which the commercial regions
	// can't reach. GovCloud is one although its hosts end in amazonaws.com too
	// (https://docs.aws.amazon.com/general/latest/gr/rande.html).
	otherPartition = `^(?:cn|us-gov|us-iso[a-z]?|eu-iso[a-z]?|eusc)-`
)

// onAWS returns the bucket and the region in the host name. Either may be empty.
func (p Pool) onAWS(u *url.URL) (bucket, region string, ok bool) {
	host := regexp.MustCompile(awsHost).FindStringSubmatch(hostPort(u))
	other := regexp.MustCompile(otherPartition)
	if host == nil || other.FindString(p.Region) != other.FindString(host[2]) {
		return "", "", false
	}
	return host[1], host[2], true
}

// onEndpoint is onAWS for the pool's endpoint instead of AWS.
func (p Pool) onEndpoint(u *url.URL) (bucket, region string, ok bool) {
	e, err := url.Parse(p.Endpoint)
	if err != nil || e.Host == "" || strings.Trim(e.Path, "/") != "" {
		return "", "", false
	}
	host, endpoint := hostPort(u), hostPort(e)
	if host == endpoint {
		return "", p.Region, true
	}
	bucket, ok = strings.CutSuffix(host, "."+endpoint)
	return bucket, p.Region, ok && bucket != ""
}

// hostPort returns the lower-case host and the port of the URL's server.
func hostPort(u *url.URL) string {
	port := u.Port()
	switch {
	case port == "" && u.Scheme == "http":
		port = "80"
	case port == "":
		port = "443"
	}
	return strings.ToLower(net.JoinHostPort(u.Hostname(), port))
}
