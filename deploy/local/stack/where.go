package stack

// FrontEndURLs are the base URLs of the front ends, in order.
func (s *Stack) FrontEndURLs() []string { return urls(s.plan.frontEnds) }

// AdminURL is the base URL of the admin listener (/healthz, /readyz, /metrics) of a front end or worker, by its name;
// empty for another part.
func (s *Stack) AdminURL(name string) string {
	for i, port := range s.plan.frontEndAdmins {
		if name == FrontEndName(i) {
			return httpURL(port)
		}
	}
	for i, region := range Regions() {
		if name == WorkerName(region) && i < len(s.plan.workerAdmins) {
			return httpURL(s.plan.workerAdmins[i])
		}
	}
	return ""
}

// TemporalAddress is host and port of Temporal's gRPC service.
func (s *Stack) TemporalAddress() string { return address(s.plan.temporal) }

// TemporalUIURL is the base URL of Temporal's web UI; there is none with ServicesOnly.
func (s *Stack) TemporalUIURL() string { return httpURL(s.plan.temporalUI) }

// RedisURL is the URL of redis, in the form that clients take.
func (s *Stack) RedisURL() string { return redisURL(s.plan.redis) }

// RedisAddr is host and port of redis.
func (s *Stack) RedisAddr() string { return address(s.plan.redis) }

// RedisKind says for humans which redis runs.
func (s *Stack) RedisKind() string { return s.redisKind }

// S3Endpoint is the URL of a region's S3 server; empty for a region that has none.
func (s *Stack) S3Endpoint(region string) string {
	for i, r := range Regions() {
		if r == region {
			return httpURL(s.plan.s3[i])
		}
	}
	return ""
}

// MinIOEndpoint is the URL of MinIO, an S3 server that others wrote than the regions'; empty but with ServicesOnly.
func (s *Stack) MinIOEndpoint() string {
	if s.plan.minio == 0 {
		return ""
	}
	return httpURL(s.plan.minio)
}

// SQSEndpoint is the URL of the SQS endpoint.
func (s *Stack) SQSEndpoint() string { return httpURL(s.plan.sqs) }

// OriginURL is the base URL of the origin, which serves OriginDir.
func (s *Stack) OriginURL() string { return httpURL(s.plan.origin) }

// OriginDir is the folder that the origin serves; a file put there can be mirrored at once.
func (s *Stack) OriginDir() string { return s.state.join("origin") }

// StateDir is the state folder.
func (s *Stack) StateDir() string { return s.state.path }

// LogDir is the folder with a log for each process, NAME.log, and setup.log.
func (s *Stack) LogDir() string { return s.state.logs() }

// ConfigPath is the configuration file of the cloud-mirror processes.
func (s *Stack) ConfigPath() string { return s.state.join("cloud-mirror.yaml") }

// Binary is the path of the cloud-mirror program that runs.
func (s *Stack) Binary() string { return s.binary }

func urls(ports []int) []string {
	var list []string
	for _, port := range ports {
		list = append(list, httpURL(port))
	}
	return list
}
