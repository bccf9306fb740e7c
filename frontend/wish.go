package frontend

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// wish is what a redirect request asks for beside the object.
type wish struct {
	// wait is how long it waits for the copy here, and rest how long after it has come back; asked is both, as the client
	// said.
	wait, rest, asked time.Duration
	// preferred is set if the wait was asked for by the header Prefer (RFC 7240).
	preferred bool
	// digest is the SHA-256 that a copy which this request starts must have, in hex; empty if any will do.
	digest string
}

// again is where a client comes back for the rest of its wait.
func (c *client) again() string {
	query := "?max_wait=" + c.rest.String()
	if c.digest != "" {
		query += "&sha256=" + c.digest
	}
	return c.path + query
}

// wish reads ?max_wait= and ?sha256=, and Prefer. Any other query shows that the URL was not encoded and lost its own.
func (s *Server) wish(r *http.Request) (wish, error) {
	var v wish
	var waits, digests []string
	if r.URL.RawQuery != "" || r.URL.ForceQuery {
		query, err := url.ParseQuery(r.URL.RawQuery)
		waits, digests = query["max_wait"], query["sha256"]
		delete(query, "max_wait")
		delete(query, "sha256")
		if err != nil || len(query) > 0 || len(waits) > 1 || len(waits)+len(digests) == 0 {
			return wish{}, problem(codeInput, notEncoded)
		}
		if v.digest, err = expectedDigest(digests); err != nil {
			return wish{}, err
		}
	}
	v.asked = s.wait
	if len(waits) > 0 {
		var err error
		if v.asked, err = s.maxWait(waits[0]); err != nil {
			return wish{}, err
		}
	} else if seconds, ok := preferredWait(r.Header["Prefer"]); ok {
		// A preference can't be wrong: it is followed as far as it may be.
		v.asked, v.preferred = min(seconds, s.waitLimit), true
	}
	v.wait = v.asked
	if s.chain > 0 && v.asked > s.chain {
		v.wait, v.rest = s.chain, v.asked-s.chain
	}
	return v, nil
}

// maxWait is a duration or a number of seconds.
func (s *Server) maxWait(text string) (time.Duration, error) {
	wait, err := time.ParseDuration(text)
	if seconds, secErr := strconv.ParseUint(text, 10, 31); secErr == nil {
		wait, err = time.Duration(seconds)*time.Second, nil
	}
	if err != nil || wait < 0 || wait > s.waitLimit {
		return 0, problem(codeInput, "max_wait must be a duration from 0 to "+s.waitLimit.String()+", e.g. 5s")
	}
	return wait, nil
}

// preferredWait finds wait= in the header's lists of preferences (https://www.rfc-editor.org/rfc/rfc7240#section-4.3). The
// first one counts, and one that is no number is none.
func preferredWait(values []string) (time.Duration, bool) {
	for _, value := range values {
		for preference := range strings.SplitSeq(value, ",") {
			preference, _, _ = strings.Cut(preference, ";")
			name, text, _ := strings.Cut(preference, "=")
			if !strings.EqualFold(strings.TrimSpace(name), "wait") {
				continue
			}
			seconds, err := strconv.ParseUint(strings.Trim(strings.TrimSpace(text), `"`), 10, 31)
			return time.Duration(seconds) * time.Second, err == nil
		}
	}
	return 0, false
}

// expectedDigest is hex in either case; in lower case it is returned, as it goes into the queue.
func expectedDigest(values []string) (string, error) {
	if len(values) == 0 {
		return "", nil
	}
	sum, err := hex.DecodeString(values[0])
	if err != nil || len(sum) != sha256.Size || len(values) > 1 {
		return "", problem(codeInput, "sha256 must be 64 hex digits")
	}
	return hex.EncodeToString(sum), nil
}
