package permissions

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Call is one request to AWS.
type Call struct {
	// Operation is the name of the SDK's method, such as HeadObject.
	Operation string
	// Needs are what a policy must allow.
	Needs []Access
}

// Access is an action of IAM on a resource, for example s3:GetObject on BUCKET/*, or
// sqs:SendMessage on QUEUE.
type Access struct{ Action, Resource string }

// s3Rule recognises an operation of S3. The marker is a parameter of the query or a header. The
// actions are those of
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html.
type s3Rule struct {
	operation, method string
	object            bool // The path has a key
	markers           []string
	action            string
}

// s3Rules are in the order in which they are tried: the first that matches wins.
func s3Rules() []s3Rule {
	const get, head, put, post, del = http.MethodGet, http.MethodHead, http.MethodPut, http.MethodPost, http.MethodDelete
	return []s3Rule{
		{"HeadBucket", head, false, nil, "s3:ListBucket"},
		{"GetBucketLifecycleConfiguration", get, false, []string{"lifecycle"}, "s3:GetLifecycleConfiguration"},
		{"PutBucketLifecycleConfiguration", put, false, []string{"lifecycle"}, "s3:PutLifecycleConfiguration"},
		{"DeleteBucketLifecycle", del, false, []string{"lifecycle"}, "s3:PutLifecycleConfiguration"},
		{"GetBucketCors", get, false, []string{"cors"}, "s3:GetBucketCORS"},
		{"PutBucketCors", put, false, []string{"cors"}, "s3:PutBucketCORS"},
		{"DeleteBucketCors", del, false, []string{"cors"}, "s3:PutBucketCORS"},
		{"ListMultipartUploads", get, false, []string{"uploads"}, "s3:ListBucketMultipartUploads"},
		{"ListObjectsV2", get, false, []string{"list-type"}, "s3:ListBucket"},
		{"CreateBucket", put, false, nil, "s3:CreateBucket"},
		{"HeadObject", head, true, nil, "s3:GetObject"},
		{"ListParts", get, true, []string{"uploadId"}, "s3:ListMultipartUploadParts"},
		{"GetObject", get, true, nil, "s3:GetObject"},
		{"CreateMultipartUpload", post, true, []string{"uploads"}, "s3:PutObject"},
		{"CompleteMultipartUpload", post, true, []string{"uploadId"}, "s3:PutObject"},
		{"AbortMultipartUpload", del, true, []string{"uploadId"}, "s3:AbortMultipartUpload"},
		{"DeleteObject", del, true, nil, "s3:DeleteObject"},
		{"UploadPartCopy", put, true, []string{"partNumber", copySource}, "s3:PutObject"},
		{"UploadPart", put, true, []string{"partNumber"}, "s3:PutObject"},
		{"CopyObject", put, true, []string{copySource}, "s3:PutObject"},
		{"PutObject", put, true, nil, "s3:PutObject"},
	}
}

const copySource = "X-Amz-Copy-Source"

// s3Call returns the call that a request with the bucket in its path makes.
func s3Call(r *http.Request) (Call, error) {
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	query := r.URL.Query()
	marked := func(name string) bool { return query.Has(name) || r.Header.Get(name) != "" }
	for _, rule := range s3Rules() {
		if rule.method != r.Method || rule.object != (key != "") || slices.ContainsFunc(rule.markers, func(name string) bool { return !marked(name) }) || !plain(query, rule.markers) {
			continue
		}
		resource := bucket
		if rule.object {
			resource += "/*"
		}
		call := Call{Operation: rule.operation, Needs: []Access{{rule.action, resource}}}
		return call, call.addS3(r, rule, bucket)
	}
	return Call{}, fmt.Errorf("%s %s: no known call of S3", r.Method, r.URL.Path+"?"+strings.Join(slices.Sorted(maps.Keys(query)), "&"))
}

// addS3 adds what a call needs besides its first action.
func (c *Call) addS3(r *http.Request, rule s3Rule, bucket string) error {
	switch {
	case rule.operation == "HeadObject":
		// Without it a missing object is a 403
		// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html).
		c.Needs = append(c.Needs, Access{"s3:ListBucket", bucket})
	case rule.action == "s3:PutObject" && r.Header.Get("If-Match") != "":
		// https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
		c.Needs = append(c.Needs, Access{"s3:GetObject", bucket + "/*"})
	}
	if from := r.Header.Get(copySource); from != "" {
		from, err := url.PathUnescape(from)
		if err != nil {
			return fmt.Errorf("%s: %w", copySource, err)
		}
		source, _, _ := strings.Cut(strings.TrimPrefix(from, "/"), "/")
		c.Needs = append(c.Needs, Access{"s3:GetObject", source + "/*"})
	}
	return nil
}

// plain reports whether a query has no other parameter that could select another operation.
func plain(query url.Values, markers []string) bool {
	for name := range query {
		switch {
		case strings.HasPrefix(name, "X-Amz-"), name == "x-id", name == "prefix", name == "max-parts", name == "max-uploads":
		case name == "uploadId" && len(markers) > 0 && markers[0] == "partNumber":
		case !slices.Contains(markers, name):
			return false
		}
	}
	return true
}
