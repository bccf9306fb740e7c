package permissions

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCallsOfS3(t *testing.T) {
	for request, want := range map[string]Call{
		"HEAD /b":                   {"HeadBucket", []Access{{"s3:ListBucket", "b"}}},
		"PUT /b":                    {"CreateBucket", []Access{{"s3:CreateBucket", "b"}}},
		"DELETE /b?cors":            {"DeleteBucketCors", []Access{{"s3:PutBucketCORS", "b"}}},
		"GET /b?uploads&prefix=k":   {"ListMultipartUploads", []Access{{"s3:ListBucketMultipartUploads", "b"}}},
		"HEAD /b/k":                 {"HeadObject", []Access{{"s3:GetObject", "b/*"}, {"s3:ListBucket", "b"}}},
		"GET /b/k/l?x-id=GetObject": {"GetObject", []Access{{"s3:GetObject", "b/*"}}},
		"GET /b/k?X-Amz-Signature=s&X-Amz-Expires=9": {"GetObject", []Access{{"s3:GetObject", "b/*"}}},
		"GET /b/k?uploadId=u":                        {"ListParts", []Access{{"s3:ListMultipartUploadParts", "b/*"}}},
		"DELETE /b/k?uploadId=u":                     {"AbortMultipartUpload", []Access{{"s3:AbortMultipartUpload", "b/*"}}},
		"DELETE /b/k":                                {"DeleteObject", []Access{{"s3:DeleteObject", "b/*"}}},
		"POST /b/k?uploads":                          {"CreateMultipartUpload", []Access{{"s3:PutObject", "b/*"}}},
		"PUT /b/k?partNumber=1&uploadId=u":           {"UploadPart", []Access{{"s3:PutObject", "b/*"}}},
		"PUT /b/k?x-id=PutObject":                    {"PutObject", []Access{{"s3:PutObject", "b/*"}}},
		"PUT /b/k If-Match: e":                       {"PutObject", []Access{{"s3:PutObject", "b/*"}, {"s3:GetObject", "b/*"}}},
		"PUT /b/k X-Amz-Copy-Source: other%2Fk":      {"CopyObject", []Access{{"s3:PutObject", "b/*"}, {"s3:GetObject", "other/*"}}},
		"PUT /b/k?partNumber=1&uploadId=u X-Amz-Copy-Source: /o/k": {
			"UploadPartCopy", []Access{{"s3:PutObject", "b/*"}, {"s3:GetObject", "o/*"}},
		},
	} {
		got, err := s3Call(parsed(t, request))
		require.NoError(t, err, request)
		require.Equal(t, want, got, request)
	}
}

// TestUnknownCallsAreErrors has the calls of TestCallsOfS3 as its control.
func TestUnknownCallsAreErrors(t *testing.T) {
	for _, request := range []string{
		"GET /b", "GET /", "GET /b?location", "PUT /b?acl", "PUT /b/k?tagging", "GET /b/k?acl", "GET /b/k?versionId=v", "POST /b?delete", "PATCH /b/k",
	} {
		_, err := s3Call(parsed(t, request))
		require.ErrorContains(t, err, "no known call of S3", request)
	}
	for body, target := range map[string]string{"{}": "AmazonSQS.SendMessage", `{"QueueName":"q"}`: "DynamoDB.GetItem", "no JSON": "AmazonSQS.SendMessage"} {
		_, err := sqsCall(target, []byte(body))
		require.ErrorContains(t, err, target)
	}
	got, err := sqsCall("AmazonSQS.DeleteMessageBatch", []byte(`{"QueueUrl":"http://host/1/q_dead"}`))
	require.NoError(t, err)
	require.Equal(t, Call{"DeleteMessageBatch", []Access{{"sqs:DeleteMessage", "q_dead"}}}, got)
}

// parsed makes a request of METHOD PATH NAME: VALUE. The header may be missing.
func parsed(t *testing.T, text string) *http.Request {
	t.Helper()
	words := strings.Fields(text)
	r := httptest.NewRequestWithContext(t.Context(), words[0], words[1], nil)
	if len(words) == 4 {
		r.Header.Set(strings.TrimSuffix(words[2], ":"), words[3])
	}
	return r
}

func TestPolicyThatIsTooWideIsRefused(t *testing.T) {
	const statement = `{"Effect":"Allow","Action":"s3:GetObject","Resource":${objects}}`
	document := func(statements string) string { return `{"Version":"2012-10-17","Statement":[` + statements + `]}` }
	for text, want := range map[string]string{
		document(statement): "",
		document(strings.Replace(statement, "GetObject", "Get*", 1)):        "action s3:Get* has a wildcard",
		document(strings.Replace(statement, "Allow", "Deny", 1)):            "does not allow",
		document(strings.Replace(statement, "${objects}", "${all}", 1)):     "no value for ${all}",
		document(strings.Replace(statement, `"Action"`, `"NotAction"`, 1)):  `unknown field "NotAction"`,
		document(strings.Replace(statement, "}}", `},"Condition":{}}`, 1)):  `unknown field "Condition"`,
		document(statement + "," + statement):                               "s3:GetObject bucket/* is allowed twice",
		strings.Replace(document(statement), "2012-10-17", "2008-10-17", 1): `version "2008-10-17"`,
		document(""): "with 0 statements",
	} {
		file := filepath.Join(t.TempDir(), "policy")
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		got, err := Allowed(file)
		if want != "" {
			require.ErrorContains(t, err, want)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, []string{"s3:GetObject bucket/*"}, got)
	}
}

func TestReadSource(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{
		"a/a.go": `package a
import ("github.com/aws/aws-sdk-go-v2/service/s3"; "github.com/aws/aws-sdk-go-v2/service/s3/types")
var x, y = s3.PutObjectInput{}, &types.OtherInput{}`,
		"a/a_test.go":    `package a; import "github.com/aws/aws-sdk-go-v2/service/kms"; var z = kms.DecryptInput{}`,
		"without/b.go":   `package b; import "github.com/aws/aws-sdk-go-v2/service/sts"`,
		".hidden/c.go":   `package c; import "github.com/aws/aws-sdk-go-v2/service/ec2"`,
		"a/deep/deep.go": `package deep; import "github.com/aws/aws-sdk-go-v2/service/sqs"; var w = &sqs.SendMessageInput{}`,
	} {
		file := filepath.Join(root, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o700))
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	}
	got, err := ReadSource(root, "without")
	require.NoError(t, err)
	require.Equal(t, Source{Services: []string{"s3", "sqs"}, Operations: []string{"PutObject", "SendMessage"}}, got)
}
