package frontend

import (
	"net/http"
	"strconv"
	"time"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/frontend/conns"
	"github.com/cloud-mirror/cloud-mirror/frontend/requestid"
)

// answer writes the decision. If a copy's URL can't be presigned, it redirects to the source.
func (s *redirects) answer(
	w http.ResponseWriter, r *http.Request, c *redirectRequest, e cache.Entry, d decision, now time.Time,
) {
	var copied *copyAnswer
	var headers http.Header
	if d.To == toCopy && c.mirror != nil && c.method == http.MethodHead {
		var err error
		if headers, err = s.headOf(r.Context(), c.knownTarget, e, now, c.left(now)); err != nil {
			r = identify(w, r)
			requestid.Log(r.Context(), s.log.Warn()).Err(err).Str("pool", c.kind.Pool.ID()).Msg("headers of a copy not read; redirecting to the source")
			s.flights.Served(c.knownTarget, e, now) // The copy may be missing.
			d.To, d.Reason = toSource, reasonFailed
		}
	} else if d.To == toCopy {
		var err error
		if copied, err = s.prepare(r.Context(), c, e.Expires, now); err != nil {
			r = identify(w, r)
			requestid.Log(r.Context(), s.log.Error()).Err(err).Str("pool", c.kind.Pool.ID()).Msg("presign failed; redirecting to the source")
			d.To, d.Reason = toSource, reasonFailed
		}
	}
	if d.Reason == reasonLimited {
		s.metrics.reachedLimit(c.refused.Limit)
	}
	took := now.Sub(c.start)
	s.metrics.answered(c.kind.Pool.ID(), d.Reason, took)
	if event := s.sampled.event(); event.Enabled() {
		requestid.Log(r.Context(), event).Bytes("object", c.appendCopy(nil)).Str("pool", c.kind.Pool.ID()).Str("reason", string(d.Reason)).
			Int("status", d.Status).Dur("took_ms", took).Msg("redirect")
	}
	h := w.Header()
	switch d.Reason {
	case reasonHit:
		h["Cache-Status"] = statusHit
	case reasonSmall:
		h["Cache-Status"] = statusSmall
	case reasonOff:
		h["Cache-Status"] = statusOff
	default:
		h["Cache-Status"] = statusMiss
	}
	setWorkflow(h, c, d.Reason)
	switch d.To {
	case toCopy:
		if headers != nil {
			writeHead(w, headers)
			s.flights.Served(c.knownTarget, e, now)
			return
		}
		location, body := copied.text(c.knownTarget, conns.BufferOf(r.Context()))
		h["Location"], h["Content-Type"], h["Cache-Control"] = location, contentType, noStore
		w.WriteHeader(d.Status)
		_, _ = w.Write(body)            //nolint:gosec // It is JSON. An error means that the client is gone.
		if c.method == http.MethodGet { // A HEAD transfers no object.
			c.kind.copies.redirected(e.Size)
		}
		s.flights.Served(c.knownTarget, e, now)
	case toSource:
		target, err := c.target()
		if err != nil {
			writeError(w, err)
			return
		}
		h.Set("Location", target.Object.URL)
		writeJSON(w, d.Status, sourceRedirectBody{URL: target.Object.URL, Msg: why(d.Reason, e, c)})
	case toSelf:
		again := c.path + c.chained()
		h.Set("Location", again)
		writeJSON(w, d.Status, sourceRedirectBody{URL: again, Msg: "Cached copy is still being made, ask again"})
	case nowhere:
		writeError(w, problemOf(d, e, c))
	}
}

// Values of Cache-Status (RFC 9211), as header maps hold them.
var (
	statusHit  = []string{"cloud-mirror; hit"}
	statusMiss = []string{"cloud-mirror; fwd=miss"}
	// statusSmall is for an object below the minimum size.
	statusSmall = []string{`cloud-mirror; fwd=miss; detail="too small"`}
	// statusBypass is for what is never copied.
	statusBypass = []string{"cloud-mirror; fwd=bypass"}
	// statusOff is for what an operator has switched off.
	statusOff = []string{`cloud-mirror; fwd=bypass; detail="switched off"`}
	// statusNoRegion explains to an operator why a client never gets a copy.
	statusNoRegion = []string{`cloud-mirror; fwd=bypass; detail="unknown service or region"`}
)

type (
	copyBody struct {
		Status cache.State `json:"status"`
		URL    string      `json:"url"`
	}
	sourceRedirectBody struct {
		URL string `json:"url"`
		Msg string `json:"msg"`
	}
)

// why tells a client roughly why it is redirected to the source. The entry's text is for operators.
func why(r reason, e cache.Entry, c *redirectRequest) string {
	switch r {
	case reasonLimited:
		return limitText(c.refused.Limit)
	case reasonNoQueue:
		return "Cached copy could not be requested"
	case reasonStop:
		return "This front end is shutting down"
	case reasonSmall:
		return tooSmall(e)
	case reasonOff:
		return switchedOff
	case reasonDigest:
		return "Cached copy has another SHA-256 than this request expects"
	case reasonFailed, reasonSource, reasonRefused: // The mirror route redirects all of them.
		if e.State == cache.Present {
			return "Cached copy could not be presigned"
		}
		if e.Status != 0 {
			return "Object could not be copied: " + e.Class + " " + strconv.Itoa(e.Status)
		}
		return "Object could not be copied: " + e.Class
	default:
		return "Cached copy did not show up in " + c.total.String()
	}
}

// switchedOff tells a client about a bypass.
const switchedOff = "Copies of this host, or into this region, are switched off"

// tooSmall describes an object below the minimum size.
func tooSmall(e cache.Entry) string {
	return "Object is smaller than the minimum size: " + strconv.FormatInt(e.Size, 10) + " bytes"
}

func problemOf(d decision, e cache.Entry, c *redirectRequest) error {
	switch d.Reason {
	case reasonRefused:
		return problem(codeInvalidURL, "The URL, or a hop of its redirects, is not allowed")
	case reasonLimited:
		return limitProblem(d.Status, c.refused)
	default:
		return &requestError{code: code(e.Class), status: d.Status, text: "Unexpected HTTP Status: " + strconv.Itoa(e.Status)}
	}
}
