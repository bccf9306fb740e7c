package stack

import (
	"fmt"
	"net"
)

// route asks Options.Route for the addresses by which cloud-mirror reaches the services.
func (s *Stack) route() error {
	s.routes = map[string]string{}
	if s.opts.Route == nil {
		return nil
	}
	own := map[string]string{
		"temporal": s.TemporalAddress(), "redis": address(s.plan.redis), "sqs": address(s.plan.sqs),
		"origin": address(s.plan.origin),
	}
	for i, region := range Regions() {
		own[S3Name(region)] = address(s.plan.s3[i])
	}
	for name, from := range own {
		to, err := s.opts.Route(name, from)
		if err != nil {
			return fmt.Errorf("route to %s: %w", name, err)
		}
		s.routes[name] = to
	}
	return nil
}

// follow replaces the addresses of services that have a route.
func (v *configValues) follow(routes map[string]string) {
	if to := routes["redis"]; to != "" {
		v.RedisURL = productRedisURL(to)
	}
	if to := routes["sqs"]; to != "" {
		v.SQSEndpoint = "http://" + to
	}
	if _, port, err := net.SplitHostPort(routes["origin"]); err == nil {
		v.OriginURL = "http://localhost:" + port
	}
	for i, p := range v.Pools {
		if to := routes[S3Name(p.Region)]; to != "" {
			v.Pools[i].Endpoint = "http://" + to
		}
	}
}
