package flight

import (
	"time"

	"github.com/maypok86/otter/v2"
	"golang.org/x/time/rate"
)

// Sizes of the tables of buckets. A bucket takes about 190 bytes. After an eviction, a client or
// host starts with a fresh bucket.
const (
	clientBuckets = 1 << 16
	hostBuckets   = 1 << 13
)

// buckets holds a token bucket for each recent key. A token pays for one copy request. The caller
// serializes the calls.
type buckets[K comparable] struct {
	rate  rate.Limit
	burst int
	table *otter.Cache[K, *rate.Limiter] // nil if there is no limit
}

// newBuckets returns full buckets of burst tokens that gain perSecond tokens a second. Zero
// perSecond is no limit.
func newBuckets[K comparable](perSecond, burst, size int) buckets[K] {
	if perSecond == 0 {
		return buckets[K]{}
	}
	return buckets[K]{
		rate: rate.Limit(perSecond), burst: max(burst, 1),
		table: otter.Must(&otter.Options[K, *rate.Limiter]{
			MaximumSize: size,
			Executor:    func(evict func()) { evict() }, // The table is within its bound after each call.
		}),
	}
}

// wait returns the time until take can take a token. It changes nothing: a key without a bucket
// gets none, and so evicts no other.
func (b buckets[K]) wait(key K, now time.Time) time.Duration {
	if b.table == nil {
		return 0
	}
	bucket, ok := b.table.GetIfPresent(key)
	if !ok {
		return 0
	}
	lacks := 1 - bucket.TokensAt(now)
	return max(0, time.Duration(lacks/float64(b.rate)*float64(time.Second)))
}

// take takes a token. If there is none, it takes nothing and returns the time until the next token.
func (b buckets[K]) take(key K, now time.Time) time.Duration {
	if b.table == nil {
		return 0
	}
	bucket, ok := b.table.GetIfPresent(key)
	if !ok {
		bucket = rate.NewLimiter(b.rate, b.burst)
		b.table.Set(key, bucket)
	}
	token := bucket.ReserveN(now, 1)
	wait := token.DelayFrom(now)
	if wait > 0 {
		token.CancelAt(now)
	}
	return wait
}
