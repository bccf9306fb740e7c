package frontend

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/julienschmidt/httprouter"

	"github.com/cloud-mirror/cloud-mirror/frontend/flight"
)

// allRegions names every region of a service, in purges and lists.
const allRegions = "all"

// notEncoded is the original's message, to the letter.
const notEncoded = "URL Must be URL Encoded!"

// paths resolves request paths to targets. Its errors are [*requestError].
type paths struct {
	pools    []*flight.Pool // In the order of configuration.
	admit    func(string) (string, error)
	regionOf func(*http.Request) (string, bool)
}

func (p *paths) poolIDs() (ids []string) {
	for _, pool := range p.pools {
		ids = append(ids, pool.ID())
	}
	return ids
}

// target resolves the path of one object. auto is set if the result depends on the client's
// address. It fails with [errUnlocated] if the client's own region is unknown.
func (p *paths) target(w http.ResponseWriter, r *http.Request, params httprouter.Params) (t *flight.Target, auto bool, err error) {
	region, auto, err := p.region(w, r, params)
	if err != nil {
		return nil, auto, err
	}
	pools, err := p.poolsOf(params.ByName("service"), region, false)
	if err != nil {
		return nil, auto, err
	}
	canonical, err := p.source(params)
	if err != nil {
		return nil, auto, err
	}
	return flight.NewTarget(pools[0], canonical), auto, nil
}

// targets resolves a path whose region may be all: one target per pool.
func (p *paths) targets(params httprouter.Params) ([]*flight.Target, error) {
	pools, err := p.poolsOf(params.ByName("service"), params.ByName("region"), true)
	if err != nil {
		return nil, err
	}
	canonical, err := p.source(params)
	if err != nil {
		return nil, err
	}
	targets := make([]*flight.Target, len(pools))
	for i, pool := range pools {
		targets[i] = flight.NewTarget(pool, canonical)
	}
	return targets, nil
}

// poolsOf returns the pool of a service and region. With all set, region all returns every pool of
// the service.
func (p *paths) poolsOf(service, region string, all bool) (pools []*flight.Pool, err error) {
	for _, pool := range p.pools {
		if pool.Service == service && (pool.Region == region || all && region == allRegions) {
			pools = append(pools, pool)
		}
	}
	if len(pools) == 0 {
		return nil, problem(codeNotFound, "No such service and region are configured here")
	}
	return pools, nil
}

// source returns the canonical URL in a path.
func (p *paths) source(params httprouter.Params) (string, error) {
	return p.decoded(strings.TrimPrefix(params.ByName("url"), "/"))
}

// sourceOf returns the canonical URL in a path of the redirect route, as it was sent.
func (p *paths) sourceOf(path string) (string, error) {
	for range strings.Count("/v1/redirect/:service/:region/", "/") {
		_, path, _ = strings.Cut(path, "/")
	}
	return p.decoded(path)
}

// decoded returns the canonical form of an encoded URL.
func (p *paths) decoded(segment string) (string, error) {
	raw, err := decodeURL(segment)
	if err != nil {
		return "", err
	}
	return p.canonical(raw)
}

// canonical returns the canonical form of a source URL. It refuses a URL that is not allowed. The
// result outlives the request, so it shares no memory with it.
func (p *paths) canonical(raw string) (string, error) {
	canonical, err := p.admit(raw)
	if err == nil {
		return strings.Clone(canonical), nil
	}
	if _, ok := errors.AsType[*requestError](err); ok {
		return "", err
	}
	return "", problem(codeInvalidURL, err.Error())
}

// decodeURL decodes a URL in a path exactly once. It is percent-encoded, or base64 in either
// alphabet, padded or not. Base64 never contains a scheme's "://".
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
