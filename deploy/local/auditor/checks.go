package auditor

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Violation is one breach of a check.
type Violation struct{ Check, Text string }

func (v Violation) String() string { return v.Check + ": " + v.Text }

// The checks, by name.
const (
	Bytes       = "bytes"
	Messages    = "messages"
	Fetches     = "fetches"
	Uploads     = "uploads"
	Leases      = "leases"
	Connections = "connections"
	Resources   = "usage"
	Secrets     = "secrets"
	Answers     = "answers"
)

// check is one of the nine. It calls bad for each violation.
type check struct {
	name string
	run  func(e *Evidence, o Limits, bad func(format string, args ...any))
	// settles is set if the system may need time until the check holds.
	settles bool
}

func checks() []check {
	return []check{
		{Bytes, checkBytes, false}, {Messages, checkMessages, true}, {Fetches, checkFetches, false},
		{Uploads, checkUploads, true}, {Leases, checkLeases, true}, {Connections, checkConnections, false},
		{Resources, checkUsage, true}, {Secrets, checkSecrets, false}, {Answers, checkAnswers, false},
	}
}

// Limits are the premises of the checks.
type Limits struct {
	// Except holds the reason why a scenario violates the premise of a check, by its name. The
	// check is left out. An empty reason is an error.
	Except map[string]string
	// Secrets must be in no place that the auditor reads.
	Secrets []Secret
	// Crashes is the number of crashes that the scenario injects into each copy, besides the faults
	// of the evidence.
	Crashes int
	// Lease is the longest lease.
	Lease time.Duration
	// Slack is the usage that is allowed beyond the base.
	Slack Usage
	// Pooled is the memory, in bytes, that a worker keeps in buffers for its next copies.
	Pooled float64
}

// Check runs the nine checks, without those that the limits except.
func Check(e *Evidence, o Limits) (found []Violation) {
	for _, c := range checks() {
		if reason, ok := o.Except[c.name]; ok {
			if reason == "" {
				found = append(found, Violation{c.name, "is excepted without a reason"})
			}
			continue
		}
		c.run(e, o, func(format string, args ...any) {
			found = append(found, Violation{c.name, fmt.Sprintf(format, args...)})
		})
	}
	return found
}

// settling reports whether time can still clear all of the violations.
func settling(found []Violation) bool {
	for _, c := range checks() {
		if !c.settles && slices.ContainsFunc(found, func(v Violation) bool { return v.Check == c.name }) {
			return false
		}
	}
	return true
}

// checkBytes compares the copies in buckets, and the downloads of clients, with the source.
func checkBytes(e *Evidence, _ Limits, bad func(string, ...any)) {
	for _, c := range e.Copies {
		if s := e.Sources[c.Hash]; s != nil && !s.Whole[c.Digest] {
			bad("%s/%s has %d bytes with digest %.12s, which the source never served whole", c.Pool, c.Key, c.Size, c.Digest)
		}
	}
	for _, a := range e.Answers {
		d := a.Downloaded
		switch {
		case !a.Copy:
		case !strings.Contains(a.Location, a.Hash):
			bad("%s leads to the copy of another object", a.request())
		case d == nil || d.Status == 404 && e.purged(a.Pool, a.Hash, a.At, d.To):
		case d.Err != "" && !e.disturbed(a.At, d.To):
			bad("%s leads to a download that fails: %s", a.request(), d.Err)
		case d.Err != "":
		case d.Status != 200:
			bad("%s leads to status %d", a.request(), d.Status)
		case e.Sources[a.Hash] == nil || !e.Sources[a.Hash].Whole[d.Digest]:
			bad("%s leads to bytes with digest %.12s, which the source never served whole", a.request(), d.Digest)
		case e.stale(a):
			bad("%s leads to bytes with digest %.12s, which an earlier purge removed", a.request(), d.Digest)
		}
	}
}

// purgeSpreads is how long front ends may lead to purged bytes: the documented 100 ms, and time for
// busy machines.
const purgeSpreads = time.Second

// stale reports whether a purge had removed the bytes before the request.
func (e *Evidence) stale(a Answer) bool {
	return slices.ContainsFunc(e.Replaced, func(r Replaced) bool {
		return r.Digest == a.Downloaded.Digest && slices.Contains(r.Hashes, a.Hash) && a.At.After(r.At.Add(purgeSpreads))
	})
}

// disturbed reports whether any fault met the time from start to end.
func (e *Evidence) disturbed(start, end time.Time) bool {
	return slices.ContainsFunc(e.Faults, func(f Fault) bool { return f.overlaps(start, end) })
}

// purged reports whether a purge of the object was in flight between two times.
func (e *Evidence) purged(pool, hash string, from, to time.Time) bool {
	return slices.ContainsFunc(e.Purges, func(p Purge) bool {
		return p.Pool == pool && p.Hash == hash && p.From.Before(to) && p.To.Add(aftermath).After(from)
	})
}

// addPurges adds the purges of clients that the journal does not know, by their messages, and those
// that a workflow finishes. A copy that was started without redis does not know of an earlier purge:
// its run deletes it at the end, and so finishes that purge.
func (e *Evidence) addPurges() {
	for _, r := range e.Runs {
		if r.Type != purgeWorkflow && !strings.Contains(r.Reason, overtaken) {
			continue
		}
		end := r.Close
		if end.IsZero() {
			end = e.Now
		}
		e.Purges = append(e.Purges, Purge{Pool: r.Pool, Hash: r.Hash, From: r.Start, To: end})
	}
	for _, m := range e.Accepted {
		known := slices.ContainsFunc(e.Purges, func(p Purge) bool {
			return p.Pool == m.Pool && p.Hash == m.Hash && !p.From.After(m.At) && !p.To.Before(m.At)
		})
		if m.Action == "purge" && !known {
			e.Purges = append(e.Purges, Purge{Pool: m.Pool, Hash: m.Hash, From: m.At, To: m.At})
		}
	}
}

// checkMessages follows each accepted copy request to its end. Other actions leave no trace if
// there is nothing to do, so that it only requires them to be gone.
func checkMessages(e *Evidence, _ Limits, bad func(string, ...any)) {
	for _, m := range e.Queued {
		bad("the queue still holds %s", m)
	}
	for _, m := range e.Accepted {
		if m.Action == "put" {
			if why := e.lost(m); why != "" {
				bad("%s accepted at %s was lost: %s", m, m.At.Format(time.TimeOnly), why)
			}
		}
	}
	for _, m := range e.Dead {
		if m.Reason == "" {
			bad("the dead letter %s has no reason", m)
		}
	}
}

// lost returns why a copy request has not ended, or nothing if it has. A purge after the request
// may have ended it.
func (e *Evidence) lost(m Message) string {
	if slices.ContainsFunc(e.Dead, func(d Message) bool { return d.Body == m.Body }) {
		return ""
	}
	why := "no run has followed it"
	for _, r := range e.Runs {
		switch {
		case r.Pool != m.Pool || r.Hash != m.Hash || r.Type != copyWorkflow:
		case r.Status == "Running":
			why = "its run is still open"
		case r.Close.Before(m.At) || r.Status == "ContinuedAsNew":
		case r.Status == "Completed" && !r.TooSmall && !e.stored(m) && !e.purged(m.Pool, m.Hash, m.At, e.Now):
			why = "its run completed, but the bucket has no copy"
		case r.Status != "Completed" && r.Reason == "":
			why = "its run ended as " + r.Status + " without a reason"
		default:
			return ""
		}
	}
	return why
}

func (e *Evidence) stored(m Message) bool {
	return slices.ContainsFunc(e.Copies, func(c Copy) bool { return c.Pool == m.Pool && c.Hash == m.Hash })
}

// large is the size above which the product closes the first response unread, and reads ranges or
// one stream, as documented in activities/copier.
const large = 8 << 20

// mostResends is how often one object may be served while the source's replies are lost. Package
// net/http sends a GET again on each idle connection that is closed in place of a reply. The product
// can't see it.
const mostResends = 8

// replyLost reports whether the network lost the source's replies during the response.
func (e *Evidence) replyLost(g Served) bool {
	return slices.ContainsFunc(e.Faults, func(f Fault) bool {
		return f.Target == "origin" && f.Kind == "lose" && f.From.Before(g.To) && f.To.After(g.From)
	})
}

// mostOnTheirWay is how many bytes may be on their way when the product gives up the connection of a
// range, as documented in activities/copier. It continues the range later, and they are sent twice.
const mostOnTheirWay = 512 << 10

// sentTwice returns how many bytes of a cut range its continuation begins with.
func (s *Source) sentTwice(g Served) int64 {
	if g.Status != 206 || !g.Cut {
		return 0
	}
	end := g.First + g.Bytes
	for _, next := range s.GETs {
		if next.Status == 206 && next.First > g.First && next.First < end && end-next.First <= mostOnTheirWay {
			return end - next.First
		}
	}
	return 0
}

// checkFetches counts responses and bytes. A round is one complete read. Each pool, each purge and
// each fault that met a run of the object allows a round.
func checkFetches(e *Evidence, o Limits, bad func(string, ...any)) {
	for hash, s := range e.Sources {
		rounds := e.rounds(hash) + o.Crashes
		var whole, unread int
		var bytes int64
		resends := 0
		for _, g := range s.GETs {
			if resends < mostResends && e.replyLost(g) {
				resends++
				continue
			}
			if g.Status == 200 && g.First == 0 {
				whole++
				if s.Size > large && g.Cut && unread < rounds {
					unread++
					continue
				}
			}
			bytes += g.Bytes - s.sentTwice(g)
		}
		if whole-unread > rounds {
			bad("%s was read %d times, want at most %d", s.name(), whole-unread, rounds)
		}
		if most := int64(rounds) * s.Size; bytes > most {
			bad("%d bytes of %s were read, want at most %d × %d", bytes, s.name(), rounds, s.Size)
		}
	}
}

// rounds returns how often the object may be read. An object without a run may be read once.
func (e *Evidence) rounds(hash string) int {
	pools, rounds := map[string]bool{}, 0
	for _, r := range e.Runs {
		if r.Hash != hash {
			continue
		}
		if r.Type != copyWorkflow && r.Type != purgeWorkflow || r.TooSmall {
			rounds++ // An audit; or a request with a lower minimum makes the copy
		}
		pools[r.Pool] = true
		end := r.Close
		if end.IsZero() {
			end = e.Now
		}
		for _, f := range e.Faults {
			if f.overlaps(r.Start, end) {
				rounds++
			}
		}
	}
	for _, p := range e.Purges {
		if p.Hash == hash {
			rounds++
		}
	}
	return rounds + max(1, len(pools))
}

func checkUploads(e *Evidence, _ Limits, bad func(string, ...any)) {
	for _, u := range e.Uploads {
		if !e.runs(u.Pool, u.Hash) {
			bad("upload %s of %s/%s is open", u.ID, u.Pool, u.Key)
		}
	}
}

// runs reports whether the object has an open run.
func (e *Evidence) runs(pool, hash string) bool {
	return slices.ContainsFunc(e.Runs, func(r Run) bool { return r.Pool == pool && r.Hash == hash && r.Status == "Running" })
}

func checkLeases(e *Evidence, o Limits, bad func(string, ...any)) {
	for _, n := range e.Entries {
		if n.State != "pending" {
			continue
		}
		switch {
		case n.TTL < 0:
			bad("the lease %s never expires", n.Key)
		case n.Deadline.After(e.Now.Add(o.Lease + time.Second)):
			bad("the lease %s expires in %s, want at most %s", n.Key, n.Deadline.Sub(e.Now), o.Lease)
		case !e.runs(n.Pool, n.Hash):
			bad("%s is pending without an open run", n.Key)
		}
	}
}

func checkConnections(e *Evidence, _ Limits, bad func(string, ...any)) {
	if e.Forbidden != 0 {
		bad("%d connections to forbidden addresses", e.Forbidden)
	}
}

func checkUsage(e *Evidence, o Limits, bad func(string, ...any)) {
	for process, base := range e.Base {
		use, ok := e.Use[process]
		if !ok {
			bad("%s has no metrics", process)
			continue
		}
		pooled := 0.0
		if strings.HasPrefix(process, "worker") {
			pooled = o.Pooled
		}
		if most := base.Memory + o.Slack.Memory + pooled; use.Memory > most {
			bad("%s holds %.1f MiB of memory, want at most %.1f", process, use.Memory/(1<<20), most/(1<<20))
		}
		if most := base.Goroutines + o.Slack.Goroutines; use.Goroutines > most {
			bad("%s has %.0f goroutines, want at most %.0f", process, use.Goroutines, most)
		}
		if most := base.Descriptors + o.Slack.Descriptors; use.Descriptors > most {
			bad("%s has %.0f descriptors, want at most %.0f", process, use.Descriptors, most)
		}
	}
}

// checkAnswers allows no response at all only while a fault meets the front end. A frozen or slow
// front end answers later by the time of its faults.
func checkAnswers(e *Evidence, _ Limits, bad func(string, ...any)) {
	for _, a := range e.Answers {
		end := a.At.Add(a.Took)
		most := a.Wait + time.Second + a.Lag
		excused := false
		for _, f := range e.Faults {
			if f.Target == a.FrontEnd && f.overlaps(a.At, end) {
				excused = true
				most += f.To.Add(aftermath).Sub(f.From)
			}
		}
		switch {
		case a.Err != "" && !excused:
			bad("%s got no response: %s", a.request(), a.Err)
		case a.Err == "" && !documented(a.Status, a.Statuses):
			bad("%s got status %d", a.request(), a.Status)
		}
		if a.Took > most {
			bad("%s took %s, want at most %s", a.request(), a.Took.Round(time.Millisecond), most.Round(time.Millisecond))
		}
	}
}

// documented reports whether a status is one of a route's, which may end with XX.
func documented(status int, statuses []string) bool {
	text := fmt.Sprint(status)
	return status != 500 && slices.ContainsFunc(statuses, func(s string) bool {
		return s == text || strings.HasSuffix(s, "XX") && s[0] == text[0]
	})
}

// Alarms returns a violation for each log with a data race or a panic.
func Alarms(e *Evidence) (found []Violation) {
	for _, t := range e.Texts {
		for _, alarm := range []string{"WARNING: DATA RACE", "panic: "} {
			if i := strings.Index(t.Content, alarm); i >= 0 {
				found = append(found, Violation{"logs", t.Where + " has: " + t.Content[i:min(len(t.Content), i+2000)]})
			}
		}
	}
	return found
}
