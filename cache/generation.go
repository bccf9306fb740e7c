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
	values, err := r.values(ctx, []string{generationKey(key)}, generationBytes)
	if err == nil {
		err = values[0].err
	}
	if err != nil {
		return 0, fmt.Errorf("get purge generation: %w", err)
	}
	v := values[0]
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

// Purge deletes the object's entry and its count of failures, and returns its new generation. It
// ignores the circuit breaker, and waits for 1 s or Options.Timeout, whichever is longer, for each
// write and read.
func (r *Redis) Purge(ctx context.Context, key string) (int64, error) {
	generation, err := r.purge(ctx, key, r.channel)
	if former, ok := formerKey(r.prefix, key); ok && err == nil {
		_, err = r.purge(ctx, former, formerChannel)
	}
	if err != nil {
		return 0, fmt.Errorf("purge cache entry: %w", err)
	}
	return generation, nil
}

func (r *Redis) purge(ctx context.Context, key, channel string) (int64, error) {
	// A purge is worth a wait, and must not fail because other callers are in a hurry.
	client := r.client.WithTimeout(max(defaultTimeout, r.client.Options().ReadTimeout))
	text, err := r.scripts.purge.Run(ctx, client, keys(key),
		r.now().UnixMilli(), r.tombstone.Milliseconds(), channel, r.maxGeneration()).Text()
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(text, 10, 64)
}
