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
		if m[name] = cut(printable(value), maxValue); m[name] == "" {
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

// maxHeader is more than a source needs for a header, in bytes. All headers of a PUT may have 8 KB
// (https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPUT.html).
const maxHeader = 1024

// header is a header of the copy. Half of one would say something else, so that one which is too long is left out.
func header(s string) string {
	if s = printable(s); len(s) > maxHeader {
		return ""
	}
	return s
}

// printable makes printable ASCII of what came from a source: servers refuse, or sign wrongly, anything else.
func printable(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e {
			return '?'
		}
		return r
	}, s))
}

func cut(s string, most int) string { return strings.TrimSpace(s[:min(len(s), most)]) }
