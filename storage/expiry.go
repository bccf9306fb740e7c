package storage

import (
	"net/http"
	"strings"
	"time"
)

// expiry returns when the bucket deletes an object, zero if never. It reads x-amz-expiration
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html). Not every server sends
// that header. Without it, the pool's own lifecycle rule counts: lifespan after modified.
func expiry(header *string, modified time.Time, lifespan time.Duration) time.Time {
	if header != nil {
		_, rest, _ := strings.Cut(*header, `expiry-date="`)
		date, _, _ := strings.Cut(rest, `"`)
		if t, err := http.ParseTime(date); err == nil {
			return t
		}
	}
	if lifespan > 0 && !modified.IsZero() {
		return modified.Add(lifespan)
	}
	return time.Time{}
}
