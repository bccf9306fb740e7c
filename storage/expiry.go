package storage

import (
	"net/http"
	"strings"
	"time"
)

// expiry says when the bucket deletes an object: as x-amz-expiration has it
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html), else by the pool's own lifecycle rule, since
// not every server sends the header. Zero means never.
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
