package storage_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/storage"
)

func TestSourceOf(t *testing.T) {
	aws := storage.Pool{Region: "us-west-2"}
	minio := storage.Pool{Region: "here", Endpoint: "https://MinIO.example:9000/"}
	https := storage.Pool{Region: "here", Endpoint: "https://s3.example"}
	local := storage.Pool{Region: "here", Endpoint: "http://[::1]:9000"}
	type want struct{ bucket, region, key string }
	none := want{}
	for _, tc := range []struct {
		pool storage.Pool
		url  string
		want want
	}{
		// AWS, the bucket in the host name
		{aws, "https://bucket.s3.eu-west-1.amazonaws.com/a/b", want{"bucket", "eu-west-1", "a/b"}},
		{aws, "https://bucket.s3.amazonaws.com/a", want{"bucket", "", "a"}},
		{aws, "http://bucket.s3.amazonaws.com/a", want{"bucket", "", "a"}},
		{aws, "https://Bucket.S3.amazonaws.com:443/a", want{"bucket", "", "a"}},
		{aws, "https://bucket.s3-ap-southeast-2.amazonaws.com/a", want{"bucket", "ap-southeast-2", "a"}},
		{aws, "https://bucket.s3.dualstack.us-east-1.amazonaws.com/a", want{"bucket", "us-east-1", "a"}},
		{aws, "https://my.dotted.bucket.s3.eu-west-1.amazonaws.com/a", want{"my.dotted.bucket", "eu-west-1", "a"}},
		{aws, "https://x.s3.us-west-2.s3.eu-west-1.amazonaws.com/a", want{"x.s3.us-west-2", "eu-west-1", "a"}},
		{aws, "https://bucket.s3.amazonaws.com//a", want{"bucket", "", "/a"}},
		{aws, "https://bucket.s3.amazonaws.com/a/", want{"bucket", "", "a/"}},
		// and in the path
		{aws, "https://s3.amazonaws.com/bucket/a/b", want{"bucket", "", "a/b"}},
		{aws, "https://s3.us-west-2.amazonaws.com/bucket/a", want{"bucket", "us-west-2", "a"}},
		{aws, "https://s3-us-west-2.amazonaws.com/bucket/a", want{"bucket", "us-west-2", "a"}},
		{aws, "https://s3.dualstack.us-west-2.amazonaws.com/bucket/a", want{"bucket", "us-west-2", "a"}},
		{aws, "https://s3.amazonaws.com/my.dotted.bucket/a", want{"my.dotted.bucket", "", "a"}},
		{aws, "https://s3.amazonaws.com/Old_Bucket/a", want{"Old_Bucket", "", "a"}},
		{aws, "https://s3.amazonaws.com/bucket//a", want{"bucket", "", "/a"}},
		// keys
		{aws, "https://bucket.s3.amazonaws.com/a%2Fb%20c", want{"bucket", "", "a/b c"}},
		{aws, "https://bucket.s3.amazonaws.com/a%2Bb%3Fc%25d%23e", want{"bucket", "", "a+b?c%d#e"}},
		{aws, "https://bucket.s3.amazonaws.com/%C3%BC/\u00fc", want{"bucket", "", "\u00fc/\u00fc"}},
		{aws, "https://bucket.s3.amazonaws.com/%2Fa", want{"bucket", "", "/a"}},
		{aws, "https://bucket.s3.amazonaws.com/a/../b", want{"bucket", "", "a/../b"}},
		{aws, "https://bucket.s3.amazonaws.com/a+b", none},
		{aws, "https://bucket.s3.amazonaws.com/a%zz", none},
		{aws, "https://bucket.s3.amazonaws.com/", none},
		{aws, "https://bucket.s3.amazonaws.com", none},
		{aws, "https://s3.amazonaws.com/bucket", none},
		{aws, "https://s3.amazonaws.com/bucket/", none},
		{aws, "https://s3.amazonaws.com/", none},
		{aws, "https://s3.amazonaws.com//bucket/a", none},
		{aws, "https://s3.amazonaws.com/buck%2Fet/a", none},
		{aws, "https://s3.amazonaws.com/..%2Fbucket/a", none},
		// queries
		{aws, "https://bucket.s3.amazonaws.com/a?versionId=1", none},
		{aws, "https://bucket.s3.amazonaws.com/a?X-Amz-Signature=1", none},
		// other hosts
		{aws, "https://bucket.s3-website-us-west-2.amazonaws.com/a", none},
		{aws, "https://bucket.s3-website.eu-central-1.amazonaws.com/a", none},
		{aws, "https://bucket.s3-accelerate.amazonaws.com/a", none},
		{aws, "https://bucket.s3-accelerate.dualstack.amazonaws.com/a", none},
		{aws, "https://bucket.s3-fips.us-west-2.amazonaws.com/a", none},
		{aws, "https://point-123456789012.s3-accesspoint.us-west-2.amazonaws.com/a", none},
		{aws, "https://lambda-123456789012.s3-object-lambda.us-west-2.amazonaws.com/a", none},
		{aws, "https://bucket.vpce-1-2.s3.us-west-2.vpce.amazonaws.com/a", none},
		{aws, "https://s3.amazonaws.com.evil.example/bucket/a", none},
		{aws, "https://bucket.s3.amazonaws.com.evil.example/a", none},
		{aws, "https://evils3.amazonaws.com/bucket/a", none},
		{aws, "https://s3xamazonaws.com/bucket/a", none},
		{aws, "https://s3.evilamazonaws.com/bucket/a", none},
		{aws, "https://s3.us-west-2.evil.amazonaws.com/bucket/a", none},
		{aws, "https://.s3.amazonaws.com/a", none},
		{aws, "https://bucket.s3.amazonaws.com:8443/a", none},
		{aws, "https://s3.amazonaws.com@evil.example/bucket/a", none},
		{aws, "https://example.com/bucket/a", none},
		{aws, "://", none},
		// other partitions
		{aws, "https://bucket.s3.cn-north-1.amazonaws.com.cn/a", none},
		{aws, "https://bucket.s3.us-gov-west-1.amazonaws.com/a", none},
		{storage.Pool{Region: "cn-north-1"}, "https://bucket.s3.amazonaws.com/a", none},
		{storage.Pool{Region: "cn-north-1"}, "https://bucket.s3.cn-north-1.amazonaws.com.cn/a", none},
		{storage.Pool{Region: "us-gov-west-1"}, "https://bucket.s3.us-west-2.amazonaws.com/a", none},
		{storage.Pool{Region: "us-gov-west-1"}, "https://bucket.s3.us-gov-east-1.amazonaws.com/a", want{"bucket", "us-gov-east-1", "a"}},
		{storage.Pool{Region: "eusc-de-east-1"}, "https://bucket.s3.eu-central-1.amazonaws.com/a", none},
		// another server
		{minio, "https://minio.example:9000/bucket/a/b", want{"bucket", "here", "a/b"}},
		{minio, "https://bucket.minio.EXAMPLE:9000/a/b", want{"bucket", "here", "a/b"}},
		{minio, "https://my.bucket.minio.example:9000/a%20b", want{"my.bucket", "here", "a b"}},
		{minio, "https://minio.example:9001/bucket/a", none},
		{minio, "https://minio.example/bucket/a", none},
		{minio, "https://evilminio.example:9000/bucket/a", none},
		{minio, "https://minio.example:9000.evil.example/bucket/a", none},
		{minio, "https://.minio.example:9000/bucket/a", none},
		{minio, "https://minio.example:9000/bucket", none},
		{minio, "https://minio.example:9000/bucket/a?versionId=1", none},
		{minio, "https://bucket.s3.amazonaws.com/a", none},
		{https, "https://s3.example/bucket/a", want{"bucket", "here", "a"}},
		{https, "https://s3.example:443/bucket/a", want{"bucket", "here", "a"}},
		{https, "http://s3.example/bucket/a", none},
		{local, "http://[::1]:9000/bucket/a", want{"bucket", "here", "a"}},
		{local, "http://[::2]:9000/bucket/a", none},
		{storage.Pool{Endpoint: "https://example.com/s3"}, "https://example.com/s3/bucket/a", none},
		{storage.Pool{Endpoint: "nonsense"}, "https://nonsense/bucket/a", none},
		{storage.Pool{Endpoint: ":"}, "https://bucket./a", none},
	} {
		t.Run(tc.pool.Endpoint+tc.pool.Region+" "+tc.url, func(t *testing.T) {
			src, ok := tc.pool.SourceOf(tc.url)
			require.Equal(t, tc.want, want{src.Bucket, src.Region, src.Key})
			require.Equal(t, tc.want != none, ok)
		})
	}
}
