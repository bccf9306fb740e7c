package frontend

import (
	_ "embed" // The API reference.
	"net/http"

	"github.com/julienschmidt/httprouter"
)

//go:embed openapi.json
var openAPI []byte

func apiReference(w http.ResponseWriter, _ *http.Request, _ httprouter.Params) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_, _ = w.Write(openAPI) // An error means that the client is gone.
}
