package frontend

import (
	_ "embed" // the API reference
	"net/http"

	"github.com/julienschmidt/httprouter"
)

//go:embed openapi.json
var openAPI []byte

func (s *Server) apiReference(w http.ResponseWriter, _ *http.Request, _ httprouter.Params) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_, _ = w.Write(openAPI)
}
