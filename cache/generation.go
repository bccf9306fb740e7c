package cache

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

const (
	// maxRun bounds the time from a purge until the last object of an older generation reaches the
	// bucket: from a copy or a refresh that ran during the purge. S3 deletes an object up to two
	// days late: it rounds up to a midnight, and takes its time
	// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html).
	maxRun = 9 * 24 * time.Hour
	// forever is how long redis remembers the purge of an object that the bucket never deletes.
	forever = 365 * 24 * time.Hour
	// generationBytes is the length of a generation's text, in bytes.
	generationBytes = 20
	// MaxAhead bounds a generation: it is a time in Unix milliseconds, by the clock of the process
	// that purged. A process whose clock is more than 15 minutes wrong can't use S3 at all. A copy
	// of a later generation would survive all purges until then.
	MaxAhead = time.Hour
)

// Tombstone returns how long redis remembers a purge. It is longer than a bucket can hold an object
// of an older generation. A copy or a refresh that runs during a purge may store its object after
// the purge. If its worker dies then, the object stays. While redis remembers the purge, such an
// object is neither published nor refreshed, and the bucket deletes it after its lifespan. A
// lifespan of zero is for ever.
func Tombstone(lifespan time.Duration) time.Duration {
	if lifespan <= 0 {
		return forever
	}
	return lifespan + maxRun
}

// maxGeneration returns the greatest generation that counts, in Unix milliseconds.
func (r *Redis) maxGeneration() int64 { return r.now().Add(MaxAhead).UnixMilli() }

// Generation returns the generation of the object's last purge, or 0 if redis remembers none. Redis
// remembers a purge for [Tombstone]. Every purge has a greater generation than those before it. A
// generation in the far future, or one that is no number, counts as none.
func (r *Redis) Generation(ctx context.Context, key string) (int64, error) {
	v, err := r.value(ctx, generationKey(key), generationBytes)
	if err != nil {
		return 0, fmt.Errorf("get purge generation: %w", err)
	}
	if v.text == "" && !v.junk {
		return 0, nil
	}
	g, err := strconv.ParseUint(v.text, 10, 63)
	if v.junk || err != nil || int64(g) > r.maxGeneration() {
		r.undecodable()
		return 0, nil //nolint:nilerr // another text is no generation
	}
	return int64(g), nil
}
