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

// WorkerName returns the name of a region's worker.
func WorkerName(region string) string { return "worker-" + region }

// S3Name returns the name of a region's S3 server.
func S3Name(region string) string { return "s3-" + region }

// MinIOName is the name of MinIO.
const MinIOName = "minio"
