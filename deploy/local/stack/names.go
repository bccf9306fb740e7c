package stack

import (
	"fmt"
	"strings"
)

func redisURL(port int) string { return "redis://" + address(port) + "/0" }

// poolID is how cloud-mirror names a pool in its own settings.
func poolID(region string) string { return "s3_" + region }

// FrontEndName is the name of the i-th front end, counted from 0.
func FrontEndName(i int) string { return fmt.Sprintf("frontend-%d", i+1) }

// WorkerName is the name of a region's worker.
func WorkerName(region string) string { return "worker-" + region }

// S3Name is the name of a region's S3 server.
func S3Name(region string) string { return "s3-" + region }

// MinIOName is the name of MinIO.
const MinIOName = "minio"

// without drops the variables that would change what a child does: those of AWS, Temporal, cloud-mirror itself.
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
