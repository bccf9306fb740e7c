package stack

import (
	"go.temporal.io/sdk/client"

	"github.com/cloud-mirror/cloud-mirror/deploy/local/sqs"
)

// FrontEndURLs returns the base URLs of the front ends, in order.
func (s *Stack) FrontEndURLs() []string { return urls(s.plan.frontEnds) }

// AdminURL returns the base URL of the admin listener (/healthz, /readyz, /metrics) of a front end
// or worker, by its name. It is empty for another part.
func (s *Stack) AdminURL(name string) string {
	for i, port := range s.plan.frontEndAdmins {
		if name == FrontEndName(i) {
			return httpURL(port)
		}
	}
	for i, w := range s.opts.workers() {
		if name == w.name && i < len(s.plan.workerAdmins) {
			return httpURL(s.plan.workerAdmins[i])
		}
	}
	return ""
}

// TemporalAddress returns host and port of Temporal's gRPC service.
func (s *Stack) TemporalAddress() string { return s.temporal().Address }

// TemporalNamespace returns the namespace of the workflows.
func (s *Stack) TemporalNamespace() string { return s.temporal().Namespace }

// TemporalClient returns the options of an SDK client for Temporal.
func (s *Stack) TemporalClient() client.Options { return s.temporal().Client }

// TemporalUIURL returns the base URL of Temporal's web UI. It is empty with ServicesOnly, and for an
// existing Temporal, whose web UI is unknown.
func (s *Stack) TemporalUIURL() string {
	if s.plan.temporalUI == 0 {
		return ""
	}
	return httpURL(s.plan.temporalUI)
}

// OwnTemporal reports whether the stack runs a Temporal of its own.
func (s *Stack) OwnTemporal() bool { return s.opts.Temporal == nil }

// temporal returns the existing Temporal, or the stack's own.
func (s *Stack) temporal() *Temporal {
	if s.opts.Temporal != nil {
		return s.opts.Temporal
	}
	return TemporalAt(address(s.plan.temporal))
}

// RedisURL returns the URL of redis, for redis clients.
func (s *Stack) RedisURL() string { return redisURL(s.plan.redis) }

// RedisAddr returns host and port of redis.
func (s *Stack) RedisAddr() string { return address(s.plan.redis) }

// RedisKind describes the redis that runs.
func (s *Stack) RedisKind() string { return s.redisKind }

// S3Endpoint returns the URL of a region's S3 server. It is empty for an unknown region.
func (s *Stack) S3Endpoint(region string) string {
	for i, r := range Regions() {
		if r == region {
			return httpURL(s.plan.s3[i])
		}
	}
	return ""
}

// MinIOEndpoint returns the URL of MinIO. It is empty without ServicesOnly.
func (s *Stack) MinIOEndpoint() string {
	if s.plan.minio == 0 {
		return ""
	}
	return httpURL(s.plan.minio)
}

// SQSEndpoint returns the URL of the SQS endpoint.
func (s *Stack) SQSEndpoint() string { return httpURL(s.plan.sqs) }

// Messages returns the messages that a queue holds, hidden or not. It does not receive them.
func (s *Stack) Messages(queue string) []sqs.Peeked {
	if server := s.queue.Load(); server != nil {
		return server.Peek(queue)
	}
	return nil
}

// OriginURL returns the base URL of the origin, which serves OriginDir.
func (s *Stack) OriginURL() string { return httpURL(s.plan.origin) }

// OriginDir returns the folder that the origin serves. A file put there can be mirrored at once.
func (s *Stack) OriginDir() string { return s.state.join("origin") }

// StateDir returns the state folder.
func (s *Stack) StateDir() string { return s.state.path }

// LogDir returns the folder of the logs: NAME.log for each process, and setup.log.
func (s *Stack) LogDir() string { return s.state.logs() }

// ConfigPath returns the path of the configuration file of the cloud-mirror processes.
func (s *Stack) ConfigPath() string { return s.state.join("cloud-mirror.yaml") }

// Binary returns the path of the cloud-mirror program that runs.
func (s *Stack) Binary() string { return s.binary }

func urls(ports []int) []string {
	var list []string
	for _, port := range ports {
		list = append(list, httpURL(port))
	}
	return list
}
