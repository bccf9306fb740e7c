package config

import (
	"errors"
	"fmt"
	"time"

	"github.com/cloud-mirror/cloud-mirror/frontend/upstream"
)

// maxMirrorWait returns the upper limit of mirror.wait. Without upstreams no request has this wait,
// and its default may exceed frontend.max_wait_limit.
func (c *Config) maxMirrorWait() time.Duration {
	if len(c.Mirror.Upstreams) == 0 {
		return time.Hour
	}
	return c.Frontend.MaxWaitLimit
}

func (c *Config) validateMirror() error {
	for i, u := range c.Mirror.Upstreams {
		if size := u.MinSize; size != nil && (*size < 0 || int64(*size) > maxObject) {
			return wrong(upstreamKey(i, "min_size"), "%d is not between 0 and %d", *size, int64(maxObject))
		}
	}
	_, err := upstream.New(c.Upstreams())
	if bad, ok := errors.AsType[*upstream.OptionsError](err); ok {
		return wrong(upstreamKey(bad.Index, bad.Field), "%s", bad.Text)
	}
	return err
}

func upstreamKey(i int, field string) string { return fmt.Sprintf("mirror.upstreams[%d].%s", i, field) }
