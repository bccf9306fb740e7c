package codec

import (
	"io"
	"net/http"
	"time"
)

// A cookie holds a token for the Web UI. A working day is long enough.
const (
	cookieName = "cloud_mirror_codec"
	cookieLife = 12 * time.Hour
)

// maxForm bounds the form of the page, in bytes.
const maxForm = 8 << 10

const page = `<!doctype html><html lang="en"><title>cloud-mirror codec server</title>
<h1>cloud-mirror codec server</h1>
<form method="post" action="session">
<label>Token with the scope codec: <input type="password" name="token" autocomplete="off" required autofocus></label>
<button>Allow the Web UI to decode payloads</button>
</form></html>
`

const welcome = `<!doctype html><html lang="en"><title>cloud-mirror codec server</title>
<p>The Web UI can decode payloads for 12 hours. Set this address as its codec endpoint, and let it include cross-origin
credentials.</p></html>
`

// page asks for a token.
func (s *Server) page(w http.ResponseWriter, _ *http.Request) { show(w, page) }

// session turns a token into a cookie. The browser sends it to requests of the same site only, so
// the Web UI must share the site of this server, e.g. example.com.
func (s *Server) session(w http.ResponseWriter, r *http.Request) {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" {
		http.Error(w, "the form must be the page's own", http.StatusForbidden)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	token := r.PostFormValue("token")
	if !s.allowToken(w, withToken(r, token)) {
		return
	}
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // Browsers drop a secure cookie over plain http
		Name: cookieName, Value: token, Path: "/", MaxAge: int(cookieLife.Seconds()),
		HttpOnly: true, Secure: s.secure(), SameSite: http.SameSiteStrictMode,
	})
	show(w, welcome)
}

func show(w http.ResponseWriter, text string) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	_, _ = io.WriteString(w, text) // An error means that the client has hung up.
}
