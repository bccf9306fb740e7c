package queue_test

import (
	"os"
	"testing"

	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/frontend/queue"
)

func TestAddress(t *testing.T) {
	for name, tc := range map[string]struct {
		region, endpoint, want string
		environ                map[string]string
	}{
		"AWS":                  {region: "us-west-2", want: "sqs.us-west-2.amazonaws.com:443"},
		"China":                {region: "cn-north-1", want: "sqs.cn-north-1.amazonaws.com.cn:443"},
		"region of the SDK":    {environ: map[string]string{"AWS_REGION": "eu-west-1"}, want: "sqs.eu-west-1.amazonaws.com:443"},
		"FIPS":                 {region: "us-west-2", environ: map[string]string{"AWS_USE_FIPS_ENDPOINT": "true"}, want: "sqs-fips.us-west-2.amazonaws.com:443"},
		"dual stack":           {region: "us-west-2", environ: map[string]string{"AWS_USE_DUALSTACK_ENDPOINT": "true"}, want: "sqs.us-west-2.api.aws:443"},
		"endpoint":             {endpoint: "http://127.0.0.1:9324", want: "127.0.0.1:9324"},
		"endpoint, http":       {endpoint: "http://sqs.internal", want: "sqs.internal:80"},
		"endpoint, https":      {region: "us-west-2", endpoint: "https://sqs.internal/", want: "sqs.internal:443"},
		"endpoint, IPv6":       {endpoint: "http://[::1]:9324", want: "[::1]:9324"},
		"endpoint of the SDK":  {region: "us-west-2", environ: map[string]string{"AWS_ENDPOINT_URL_SQS": "http://10.0.0.1:9324"}, want: "10.0.0.1:9324"},
		"endpoint of all":      {region: "us-west-2", environ: map[string]string{"AWS_ENDPOINT_URL": "https://aws.internal"}, want: "aws.internal:443"},
		"the setting wins":     {endpoint: "http://127.0.0.1:9324", environ: map[string]string{"AWS_ENDPOINT_URL_SQS": "http://10.0.0.1:1"}, want: "127.0.0.1:9324"},
		"neither is known":     {},
		"the setting's region": {region: "us-west-2", environ: map[string]string{"AWS_REGION": "eu-west-1"}, want: "sqs.us-west-2.amazonaws.com:443"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, variable := range []string{"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"} {
				t.Setenv(variable, os.DevNull)
			}
			for _, variable := range []string{"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SQS"} {
				t.Setenv(variable, "") // It is restored after the test.
				require.NoError(t, os.Unsetenv(variable))
			}
			for variable, value := range tc.environ {
				t.Setenv(variable, value)
			}
			cfg, err := awsconfig.LoadDefaultConfig(t.Context())
			require.NoError(t, err)
			at, err := queue.Address(t.Context(), cfg, tc.region, tc.endpoint)
			require.NoError(t, err)
			require.Equal(t, tc.want, at)
		})
	}
}
