package codec

import (
	"fmt"
	"io"
	"math"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"go.temporal.io/api/common/v1"
	"google.golang.org/protobuf/encoding/protojson"
)

// maxBody bounds a request in bytes. The Web UI sends the payloads of one event at a time. Temporal
// limits each payload to 2 MB, which base64 makes 2.7 MB.
const maxBody = 16 << 20

// Refusal is why a request is not answered.
type Refusal struct {
	// Status is 401, 403 or 429.
	Status int
	// Text describes the reason. It holds no token.
	Text string
	// RetryAfter is the time until the client can send a wrong token again; only with 429.
	RetryAfter time.Duration
}

// ServerOptions configures a [Server].
type ServerOptions struct {
	Codec *Codec
	// Namespace is the only one that requests may name, by X-Namespace.
	Namespace string
	// Origin is the Web UI's origin, e.g. https://temporal.example.com. Scripts of other origins
	// are refused. Empty refuses all scripts.
	Origin string
	// Check returns why the request's bearer token does not permit it, or nil.
	Check func(*http.Request) *Refusal
}

// Server is a codec server by Temporal's convention (https://docs.temporal.io/codec-server): it
// answers POST /encode and POST /decode. It also has a page at / on which people turn their token
// into a cookie, because the Web UI can't send one.
type Server struct {
	options ServerOptions
	mux     *http.ServeMux
}

// NewServer returns a server. The caller listens, and bounds connections and times.
func NewServer(o ServerOptions) *Server {
	s := &Server{options: o, mux: http.NewServeMux()}
	s.mux.HandleFunc("POST /encode", s.convert(o.Codec.Encode))
	s.mux.HandleFunc("POST /decode", s.convert(o.Codec.Decode))
	s.mux.HandleFunc("OPTIONS /encode", s.preflight)
	s.mux.HandleFunc("OPTIONS /decode", s.preflight)
	s.mux.HandleFunc("GET /{$}", s.page)
	s.mux.HandleFunc("POST /session", s.session)
	return s
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Add("Vary", "Origin")
	if r.ContentLength < 0 { // Chunks. See frontend.Server.ServeHTTP.
		h.Set("Connection", "close")
	}
	s.mux.ServeHTTP(w, r)
}

// convert returns the handler of one direction.
func (s *Server) convert(do func([]*common.Payload) ([]*common.Payload, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !s.allowOrigin(w, r) || !s.allowToken(w, withCookie(r)) || !s.allowBody(w, r) {
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			http.Error(w, fmt.Sprintf("the body can't be read, or has more than %d bytes", maxBody), http.StatusRequestEntityTooLarge)
			return
		}
		var payloads common.Payloads
		if protojson.Unmarshal(body, &payloads) != nil { // Its text may repeat the body.
			http.Error(w, "the body is not a list of payloads", http.StatusBadRequest)
			return
		}
		if payloads.Payloads, err = do(payloads.GetPayloads()); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		out, err := protojson.Marshal(&payloads)
		if err != nil {
			http.Error(w, "the payloads can't be encoded", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(out) // An error means that the client has hung up.
	}
}

// allowOrigin refuses scripts of other origins. Programs send no Origin.
func (s *Server) allowOrigin(w http.ResponseWriter, r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	if origin != s.options.Origin {
		http.Error(w, "scripts of this origin are not allowed: see worker.codec_origin", http.StatusForbidden)
		return false
	}
	w.Header().Set("Access-Control-Allow-Origin", origin)
	w.Header().Set("Access-Control-Allow-Credentials", "true")
	return true
}

func (s *Server) allowToken(w http.ResponseWriter, r *http.Request) bool {
	refusal := s.options.Check(r)
	if refusal == nil {
		return true
	}
	switch refusal.Status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Bearer realm="cloud-mirror"`)
	case http.StatusTooManyRequests:
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(refusal.RetryAfter.Seconds()))))
	}
	http.Error(w, refusal.Text, refusal.Status)
	return false
}

func (s *Server) allowBody(w http.ResponseWriter, r *http.Request) bool {
	// Other sites' forms can't send JSON.
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		http.Error(w, "the body must be application/json", http.StatusUnsupportedMediaType)
		return false
	}
	if namespace := r.Header.Get("X-Namespace"); namespace != "" && namespace != s.options.Namespace {
		http.Error(w, "the keys belong to another namespace", http.StatusBadRequest)
		return false
	}
	return true
}

// preflight answers a browser's question (https://fetch.spec.whatwg.org/#http-cors-protocol). It
// carries no token.
func (s *Server) preflight(w http.ResponseWriter, r *http.Request) {
	if !s.allowOrigin(w, r) {
		return
	}
	h := w.Header()
	h.Set("Access-Control-Allow-Methods", http.MethodPost)
	h.Set("Access-Control-Allow-Headers", "Authorization, Authorization-Extras, Content-Type, X-Namespace")
	h.Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
}

// withCookie returns the request with the token of its cookie, unless it has one of its own.
func withCookie(r *http.Request) *http.Request {
	cookie, err := r.Cookie(cookieName)
	if err != nil || r.Header.Get("Authorization") != "" {
		return r
	}
	return withToken(r, cookie.Value)
}

// withToken returns the request with a bearer token.
func withToken(r *http.Request, token string) *http.Request {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+token)
	return r
}

// secure reports whether the Web UI is served over TLS. The server is then expected to be, too.
func (s *Server) secure() bool { return strings.HasPrefix(s.options.Origin, "https://") }
