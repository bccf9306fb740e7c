package frontend

import (
	"encoding/base64"
	"net/url"
	"strings"

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
	pools, err := s.poolsOf(p.ByName("service"), p.ByName("region"), all)
	if err != nil {
		return nil, err
	}
	canonical, err := s.source(p)
	if err != nil {
		return nil, err
	}
	objects := make([]storage.Object, len(pools))
	for i, pool := range pools {
		objects[i] = storage.Object{Service: pool.Service, Region: pool.Region, URL: canonical}
	}
	return objects, nil
}

// poolsOf returns the pool of a service and region, or all of a service's if that may be asked for and was.
func (s *Server) poolsOf(service, region string, all bool) (pools []*Pool, err error) {
	for _, id := range s.poolIDs {
		pool := s.pools[id]
		if pool.Service == service && (pool.Region == region || all && region == allRegions) {
			pools = append(pools, pool)
		}
	}
	if len(pools) == 0 {
		return nil, problem(codeNotFound, "No such service and region are configured here")
	}
	return pools, nil
}

// source returns the canonical URL that a request path names.
func (s *Server) source(p httprouter.Params) (string, error) {
	raw, err := decodeURL(strings.TrimPrefix(p.ByName("url"), "/"))
	if err != nil {
		return "", err
	}
	canonical, err := s.admit(raw)
	if err != nil {
		return "", problem(codeInvalidURL, err.Error())
	}
	return canonical, nil
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
