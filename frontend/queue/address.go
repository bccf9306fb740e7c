package queue

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// Address returns the host and port of SQS: those of the client that [Open] makes of the same
// arguments. It does no I/O. It is empty if neither a region nor an endpoint is known.
func Address(ctx context.Context, cfg aws.Config, region, endpoint string) (string, error) {
	o := newClient(cfg, region, endpoint).Options()
	if o.Region == "" && o.BaseEndpoint == nil {
		return "", nil
	}
	at, err := o.EndpointResolverV2.ResolveEndpoint(ctx, sqs.EndpointParameters{
		Region:       aws.String(o.Region),
		UseFIPS:      aws.Bool(o.EndpointOptions.UseFIPSEndpoint == aws.FIPSEndpointStateEnabled),
		UseDualStack: aws.Bool(o.EndpointOptions.UseDualStackEndpoint == aws.DualStackEndpointStateEnabled),
		Endpoint:     o.BaseEndpoint,
	})
	if err != nil {
		return "", fmt.Errorf("endpoint of SQS: %w", err)
	}
	return hostPort(&at.URI), nil
}

func hostPort(u *url.URL) string {
	port := "443"
	if u.Scheme == "http" {
		port = "80"
	}
	return net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), port))
}
