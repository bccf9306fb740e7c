package frontend

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/julienschmidt/httprouter"

	"github.com/cloud-mirror/cloud-mirror/storage"
)

// allRegions names every region of a service in a purge.
const allRegions = "all"

// notEncoded is what the original answered, to the letter.
const notEncoded = "URL Must be URL Encoded!"

// objects returns what a request path names: one object, or with region all, where that is allowed, one in every region
// of the service.
func (s *Server) objects(p httprouter.Params, all bool) ([]storage.Object, error) {
	service, region := p.ByName("service"), p.ByName("region")
	var pools []*Pool
	for _, pool := range s.pools {
		if pool.Service == service && (pool.Region == region || all && region == allRegions) {
			pools = append(pools, pool)
		}
	}
	if len(pools) == 0 {
		return nil, problem(codeNotFound, "No such service and region are configured here")
	}
	raw, err := decodeURL(strings.TrimPrefix(p.ByName("url"), "/"))
	if err != nil {
		return nil, err
	}
	canonical, err := s.admit(raw)
	if err != nil {
		return nil, problem(codeInvalidURL, err.Error())
	}
	objects := make([]storage.Object, len(pools))
	for i, pool := range pools {
		objects[i] = storage.Object{Service: pool.Service, Region: pool.Region, URL: canonical}
	}
	return objects, nil
}

// decodeURL undoes the encoding of a URL in a request path, exactly once. It is percent-encoded, or base64 in either
// alphabet, padded or not; nothing in base64 looks like a scheme's "://".
func decodeURL(segment string) (string, error) {
	bad := problem(codeInput, notEncoded)
	if strings.Contains(segment, "/") {
		return "", bad
	}
	text, err := url.PathUnescape(segment)
	if err != nil {
		return "", bad
	}
	if strings.Contains(text, "://") {
		return text, nil
	}
	text = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(text, "="))
	decoded, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil || !strings.Contains(string(decoded), "://") {
		return "", bad
	}
	return string(decoded), nil
}

// query reads ?max_wait= and ?sha256=. Any other query shows that the URL was not encoded and lost its own.
func (s *Server) query(r *http.Request) (wait time.Duration, digest string, err error) {
	if r.URL.RawQuery == "" && !r.URL.ForceQuery {
		return s.wait, "", nil
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	waits, digests := query["max_wait"], query["sha256"]
	delete(query, "max_wait")
	delete(query, "sha256")
	if err != nil || len(query) > 0 || len(waits) > 1 || len(waits)+len(digests) == 0 {
		return 0, "", problem(codeInput, notEncoded)
	}
	if wait, err = s.maxWait(waits); err != nil {
		return 0, "", err
	}
	digest, err = expectedDigest(digests)
	return wait, digest, err
}

// maxWait is a duration or a number of seconds.
func (s *Server) maxWait(values []string) (time.Duration, error) {
	if len(values) == 0 {
		return s.wait, nil
	}
	text := values[0]
	wait, err := time.ParseDuration(text)
	if seconds, secErr := strconv.ParseUint(text, 10, 31); secErr == nil {
		wait, err = time.Duration(seconds)*time.Second, nil
	}
	if err != nil || wait < 0 || wait > s.waitLimit {
		return 0, problem(codeInput, "max_wait must be a duration from 0 to "+s.waitLimit.String()+", e.g. 5s")
	}
	return wait, nil
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
