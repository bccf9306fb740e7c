package cache

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// FuzzEntry checks that a value of redis is an entry that this deployment could have written, or
// undecodable. An entry is the same after it is written again.
func FuzzEntry(f *testing.F) {
	const key = "cm:2:{s3_us-west-2/abcdefgh/hash}"
	now := time.Unix(1_800_000_000, 0)
	rules := Rules{
		TTL: 24 * time.Hour, ExpiryMargin: time.Hour, Lease: time.Minute, NegativeTTL: time.Minute, UnmirrorableTTL: time.Hour,
		RetryAfter: time.Second, RetryMax: time.Minute,
	}
	for _, e := range []Entry{
		rules.Present(now, Copy{Size: 5, SHA256: strings.Repeat("0a", 32), Expires: now.Add(48 * time.Hour)}), rules.Pending(now, "owner", 1, -1),
		rules.Failed(now, Reason{Class: ClassBadHTTPStatus, Status: 404, AboutObject: true, Text: "text"}), rules.TooSmall(now, 3),
		{State: Pending, Deadline: now.Add(time.Minute), Attempts: 3, NextRetry: now.Add(time.Second)},
	} {
		value, err := encode(key, e)
		if err != nil {
			f.Fatal(err)
		}
		if got, err := decode(key, value, now, rules); err != nil || got.State != e.State {
			f.Fatalf("positive control: %q: %+v, %v", value, got, err)
		}
		if _, err := decode(key+"x", value, now, rules); err == nil {
			f.Fatalf("%q is an entry of another key", value)
		}
		f.Add(value)
		f.Add(strings.Replace(value, `"d":`, `"d":9`, 1))
		f.Add(strings.Replace(value, `"i":`, `"I":"x","i":`, 1))
	}
	f.Add("present http://evil.test/")
	f.Add(strings.Repeat("[", 9000))
	f.Fuzz(func(t *testing.T, value string) {
		e, err := decode(key, value, now, rules)
		if err != nil {
			if e != (Entry{}) {
				t.Fatalf("%q: %+v beside %v", value, e, err)
			}
			return
		}
		longest := max(rules.TTL, rules.Lease, rules.NegativeTTL, rules.UnmirrorableTTL, rules.RetryMax)
		if len(value) > maxValue || e.Deadline.After(now.Add(longest+maxSkew)) || e.Size < 0 || e.Done < 0 || e.Total < -1 ||
			e.Attempts < 0 || e.NextRetry.Year() > 9999 {
			t.Fatalf("%q is accepted as %+v", value, e)
		}
		if e.State == Error && !slices.Contains(Classes(), e.Class) || e.State != Error && e.Class != "" {
			t.Fatalf("%q has the class %q", value, e.Class)
		}
		again, err := encode(key, e)
		if err != nil {
			t.Fatalf("%q: %v", value, err)
		}
		if second, err := decode(key, again, now, rules); err != nil || second != e {
			t.Fatalf("%q becomes %q: %+v, %v", value, again, second, err)
		}
	})
}
