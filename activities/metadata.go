package activities

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/cloud-mirror/cloud-mirror/storage"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// maxValue keeps all user metadata of an object together below the 2 KB that S3 allows, in bytes
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html).
const maxValue = 300

// MetadataURL is the user metadata with the source's URL, without its query. A URL above 300 bytes
// is cut.
const MetadataURL = "cloud-mirror-upstream-url"

// User metadata that audits read. Copies of builds before 2026-11-26 have no metadataModified.
const (
	metadataETag     = "cloud-mirror-upstream-etag"
	metadataModified = "cloud-mirror-upstream-last-modified"
)

// metadata returns the user metadata of a copy. The names are the original cloud-mirror's, except
// the last.
func metadata(in StreamCopyInput, source origin.Meta, workflowID string, now time.Time) map[string]string {
	hops := make([]string, 0, len(source.Addresses))
	for _, h := range source.Addresses {
		hops = append(hops, h.Host+" "+strconv.Itoa(h.Status))
	}
	m := map[string]string{
		MetadataURL:                            in.Source.URL,
		metadataETag:                           source.ETag,
		metadataModified:                       date(source.LastModified),
		"cloud-mirror-upstream-content-length": strconv.FormatInt(source.Size, 10),
		"cloud-mirror-addresses":               strings.Join(hops, ", "),
		"cloud-mirror-stored":                  now.UTC().Format(time.RFC3339),
		"cloud-mirror-workflow-id":             workflowID,
		storage.MetadataSHA256:                 source.SHA256(),
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

// date returns a Last-Modified, or nothing if it is no date.
func date(s string) string {
	if _, err := http.ParseTime(s); err != nil {
		return ""
	}
	return s
}

// maxHeader is more than a source needs for a header, in bytes. S3 allows 8 KB for all headers of a
// PUT (https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPUT.html).
const maxHeader = 1024

// header drops a source's header that is too long or that S3 can't store: a changed header could
// mean something else.
func header(s string) string {
	if len(s) > maxHeader || s != printable(s) {
		return ""
	}
	return s
}

// printable replaces everything but printable ASCII in a value from a source: S3 servers refuse the
// rest, or compute a wrong signature for it.
func printable(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e {
			return '?'
		}
		return r
	}, s))
}

// cut shortens s to at most most bytes.
func cut(s string, most int) string { return strings.TrimSpace(s[:min(len(s), most)]) }
