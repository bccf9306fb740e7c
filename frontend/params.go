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

// maxQuery is the limit of a query's length, in bytes. Valid parameters need a tenth of it.
const maxQuery = 2 << 10

// params are what a redirect request sets by its query and headers.
type params struct {
	// wait is how long this request is held, and rest how long the next one of its chain. total is
	// the sum, as the client set it.
	wait, rest, total time.Duration
	// preferred is set if the header Prefer (RFC 7240) set the wait.
	preferred bool
	// digest is the SHA-256 that the client expects, in lower-case hex. Empty accepts any content.
	digest string
}

// waits are the configured waits of clients: unless they set their own, on the redirect route and
// on the mirror route; the most that they may set; and the most in one request of a chain (zero is
// no limit).
type waits struct{ standard, mirror, limit, chain time.Duration }

// params reads ?max_wait=, ?sha256= and Prefer. Any other query shows that the URL was not encoded
// and lost its own query.
func (v waits) params(r *http.Request) (params, error) {
	var p params
	var durations, digests []string
	if len(r.URL.RawQuery) > maxQuery {
		return params{}, problem(codeInput, "The query is longer than 2 KiB")
	}
	if r.URL.RawQuery != "" || r.URL.ForceQuery {
		query, err := url.ParseQuery(r.URL.RawQuery)
		durations, digests = query["max_wait"], query["sha256"]
		delete(query, "max_wait")
		delete(query, "sha256")
		if err != nil || len(query) > 0 || len(durations) > 1 || len(durations)+len(digests) == 0 {
			return params{}, problem(codeInput, notEncoded)
		}
		if p.digest, err = expectedDigest(digests); err != nil {
			return params{}, err
		}
	}
	if len(durations) > 0 {
		var err error
		if p.total, err = v.parse(durations[0]); err != nil {
			return params{}, err
		}
	} else {
		p.total, p.preferred = v.preferred(r, v.standard)
	}
	p.wait = p.total
	if v.chain > 0 && p.total > v.chain {
		p.wait, p.rest = v.chain, p.total-v.chain
	}
	return p, nil
}

// mirrorParams returns the parameters of a request to the mirror route. Its query belongs to the
// source, and its path names the digest.
func (v waits) mirrorParams(r *http.Request, digest string) params {
	p := params{digest: digest}
	p.total, p.preferred = v.preferred(r, v.mirror)
	p.wait = p.total
	return p
}

// preferred returns the wait that Prefer sets, or else the standard wait. A preference is never an
// error: it is capped.
func (v waits) preferred(r *http.Request, standard time.Duration) (wait time.Duration, preferred bool) {
	if seconds, ok := preferredWait(r.Header["Prefer"]); ok {
		return min(seconds, v.limit), true
	}
	return standard, false
}

// parse reads a duration or a number of seconds.
func (v waits) parse(text string) (time.Duration, error) {
	wait, err := time.ParseDuration(text)
	if seconds, secErr := strconv.ParseUint(text, 10, 31); secErr == nil {
		wait, err = time.Duration(seconds)*time.Second, nil
	}
	if err != nil || wait < 0 || wait > v.limit {
		return 0, problem(codeInput, "max_wait must be a duration from 0 to "+v.limit.String()+", e.g. 5s")
	}
	return wait, nil
}

// chained is the query of the next request of a chain.
func (p params) chained() string {
	query := "?max_wait=" + p.rest.String()
	if p.digest != "" {
		query += "&sha256=" + p.digest
	}
	return query
}

// preferredWait finds wait= in the header's lists of preferences
// (https://www.rfc-editor.org/rfc/rfc7240#section-4.3). The first wait counts; it is ignored unless
// it is a number.
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

// expectedDigest accepts hex in either case and returns it in lower case, as the queue's message
// has it.
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
