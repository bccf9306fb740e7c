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
	Region      string // empty if its URL does not tell
	ETag        string // what it must have
	Size        int64  // bytes
}

// header is the source in the form of x-amz-copy-source.
func (s CopySource) header() string {
	return strings.ReplaceAll(url.QueryEscape(s.Bucket+"/"+s.Key), "+", "%20")
}

// SourceOf tells whether the URL, which may have no query, is that of an object in an S3 that the pool belongs to: the
// same partition of AWS, or the same endpoint.
func (p Pool) SourceOf(rawURL string) (CopySource, bool) {
	u, err := url.Parse(rawURL)
	if err != nil || u.RawQuery != "" || strings.Contains(u.EscapedPath(), "+") {
		return CopySource{}, false // S3 takes a plus sign for a space in some places and not in others
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
	// An escaped slash is one to S3.
	if key, err = url.PathUnescape(key); err != nil || key == "" || !regexp.MustCompile(bucketName).MatchString(bucket) {
		return CopySource{}, false
	}
	return CopySource{Bucket: bucket, Key: key, Region: region}, true
}

const (
	// bucketName is of any time (https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html).
	bucketName = `^[A-Za-z0-9][A-Za-z0-9._-]{2,254}$`
	// awsHost is one of https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html; neither that of a
	// website nor an accelerated one.
	awsHost = `^(?:(.+)\.)?s3(?:\.dualstack)?(?:[.-]([a-z]{2}(?:-[a-z]+)+-\d))?\.amazonaws\.com:(?:80|443)$`
	// otherPartition is a region that the commercial ones, which are at amazonaws.com like GovCloud, can't reach
	// (https://docs.aws.amazon.com/general/latest/gr/rande.html).
	otherPartition = `^(?:cn|us-gov|us-iso[a-z]?|eu-iso[a-z]?|eusc)-`
)

// onAWS returns the bucket in the host name, if there is one, and the region.
func (p Pool) onAWS(u *url.URL) (bucket, region string, ok bool) {
	host := regexp.MustCompile(awsHost).FindStringSubmatch(hostPort(u))
	other := regexp.MustCompile(otherPartition)
	if host == nil || other.FindString(p.Region) != other.FindString(host[2]) {
		return "", "", false
	}
	return host[1], host[2], true
}

// onEndpoint is onAWS for a server that is not AWS.
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

// hostPort is where the URL's server listens.
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
