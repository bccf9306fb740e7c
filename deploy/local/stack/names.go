package stack

import "fmt"

func redisURL(port int) string { return "redis://" + address(port) + "/0" }

// productRedisURL is the URL by which cloud-mirror reaches the redis at an address.
func productRedisURL(address string) string {
	return "redis://default:" + RedisPassword + "@" + address + "/0"
}

// poolID returns the name of a pool in the settings of cloud-mirror.
func poolID(region string) string { return "s3_" + region }

// FrontEndName returns the name of the i-th front end, counted from 0.
func FrontEndName(i int) string { return fmt.Sprintf("frontend-%d", i+1) }

// WorkerName returns the name of a region's first worker. -2 behind it names the second.
func WorkerName(region string) string { return "worker-" + region }

// S3Name returns the name of a region's S3 server.
func S3Name(region string) string { return "s3-" + region }

// MinIOName is the name of MinIO.
const MinIOName = "minio"

// workerProcess is one worker of a region.
type workerProcess struct {
	name, region string
	bridge       bool
}

// workers returns the first worker of each region, then the second of each, and so on.
func (o Options) workers() []workerProcess {
	var all []workerProcess
	for i := range max(1, o.WorkersPerRegion) {
		for _, region := range Regions() {
			name := WorkerName(region)
			if i > 0 {
				name = fmt.Sprintf("%s-%d", name, i+1)
			}
			all = append(all, workerProcess{name: name, region: region, bridge: o.Bridges == 0 || len(all) < o.Bridges})
		}
	}
	return all
}
