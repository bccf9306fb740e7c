package cache_test

import (
	"fmt"
	"time"

	"github.com/cloud-mirror/cloud-mirror/cache"
)

func ExampleRules() {
	rules := cache.Rules{
		TTL:          24 * time.Hour,
		ExpiryMargin: time.Hour,
		Lease:        time.Minute,
		NegativeTTL:  10 * time.Minute,
		RetryAfter:   10 * time.Second,
		RetryMax:     time.Minute,
	}
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	show := func(what string, e cache.Entry) {
		if e.State == cache.Absent {
			fmt.Printf("%s: absent\n", what)
			return
		}
		fmt.Printf("%s: %s for %s\n", what, e.State, e.Deadline.Sub(now))
	}

	show("copy without expiry", rules.Present(now, cache.Copy{}))
	show("copy that the bucket deletes in 5 h", rules.Present(now, cache.Copy{Expires: now.Add(5 * time.Hour)}))
	show("copy that the bucket deletes in 1 h", rules.Present(now, cache.Copy{Expires: now.Add(time.Hour)}))
	show("copy in flight", rules.Pending(now, "workflow", 0, -1))
	show("source answered 404", rules.Failed(now, cache.Reason{Class: "BadHTTPStatus", Status: 404, AboutObject: true}))

	// The back-off doubles with each failure up to RetryMax. Jitter takes up to half of it away.
	for _, failures := range []int64{1, 2, 3, 9} {
		e := rules.Transient(now, failures, cache.Reason{Class: "SourceUnreachable", Text: "connection refused"})
		longest := min(10*time.Second<<(failures-1), time.Minute)
		backoff := e.Deadline.Sub(now)
		fmt.Printf("failure %d: retry within %s: %t\n", failures, longest, backoff >= longest/2 && backoff <= longest)
	}
	// Output:
	// copy without expiry: present for 24h0m0s
	// copy that the bucket deletes in 5 h: present for 4h0m0s
	// copy that the bucket deletes in 1 h: absent
	// copy in flight: pending for 1m0s
	// source answered 404: error for 10m0s
	// failure 1: retry within 10s: true
	// failure 2: retry within 20s: true
	// failure 3: retry within 40s: true
	// failure 9: retry within 1m0s: true
}
