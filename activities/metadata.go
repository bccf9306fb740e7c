package activities

import (
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/cloud-mirror/cloud-mirror/storage"
)

// maxValue keeps all user metadata of an object together below the 2 KB that S3 allows, in bytes
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html).
const maxValue = 300

// metadata is what a copy says about itself. The names are the original cloud-mirror's, besides the last
// ones.
func metadata(in StreamCopyInput, workflowID string, now time.Time) map[string]string {
	hops := make([]string, 0, len(in.Meta.Addresses))
	for _, h := range in.Meta.Addresses {
		hops = append(hops, h.Host+" "+strconv.Itoa(h.Status))
	}
	m := map[string]string{
		"cloud-mirror-upstream-url":            in.Source.URL,
		"cloud-mirror-upstream-etag":           in.Meta.ETag,
		"cloud-mirror-upstream-content-length": strconv.FormatInt(in.Meta.Size, 10),
		"cloud-mirror-addresses":               strings.Join(hops, ", "),
		"cloud-mirror-stored":                  now.UTC().Format(time.RFC3339),
		"cloud-mirror-workflow-id":             workflowID,
		"cloud-mirror-sha256":                  sha256Of(in),
		storage.MetadataCopyID:                 in.CopyID,
		storage.MetadataGeneration:             strconv.FormatInt(in.Generation, 10),
	}
	for name, value := range m {
		if m[name] = headerSafe(value); m[name] == "" {
			delete(m, name)
		}
	}
	return m
}

// sha256Of is the SHA-256 that the copy will have been compared with, in hex.
func sha256Of(in StreamCopyInput) string {
	for _, d := range in.Meta.Digests {
		if d.Algorithm == "sha-256" && in.SHA256 == "" {
			return hex.EncodeToString(d.Value)
		}
	}
	return in.SHA256
}

// headerSafe makes printable ASCII of what came from a source: servers refuse, or sign wrongly, anything else.
func headerSafe(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e {
			return '?'
		}
		return r
	}, s)
	if len(s) > maxValue {
		s = s[:maxValue]
	}
	return strings.TrimSpace(s)
}
