package stack

import (
	"fmt"
	"strings"
)

func redisURL(port int) string { return "redis://" + address(port) + "/0" }

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

// without returns the environment except the variables with these prefixes.
func without(env []string, prefixes ...string) []string {
	var kept []string
	for _, entry := range env {
		drop := false
		for _, prefix := range prefixes {
			drop = drop || strings.HasPrefix(entry, prefix)
		}
		if !drop {
			kept = append(kept, entry)
		}
	}
	return kept
}
