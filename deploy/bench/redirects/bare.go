package main

import (
	"context"
	"io"
	"net/http"

	"github.com/julienschmidt/httprouter"

	"github.com/cloud-mirror/cloud-mirror/deploy/bench/process"
)

// bare starts a bare router that gives the response of a front end.
func (f *fixture) bare(ctx context.Context, frontEnd *process.Server) (*process.Server, error) {
	resp, err := get(ctx, newClient(), frontEnd, 0)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	address, err := process.FreeAddress()
	if err != nil {
		return nil, err
	}
	return process.StartSelf(ctx, address, runBare, address, resp.Header.Get("Location"), resp.Header.Get("Content-Type"), string(body))
}

// serveBare is the main function of the bare router's process. Its response is always the same for
// a redirect, and for a mirror request that passes through.
func serveBare(address, location, contentType, body string) error {
	text := []byte(body)
	r := httprouter.New()
	r.GET("/v1/redirect/:service/:region/*url", func(w http.ResponseWriter, _ *http.Request, _ httprouter.Params) {
		w.Header().Set("Location", location)
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(http.StatusFound)
		_, _ = w.Write(text)
	})
	r.GET("/v1/mirror/:service/:region/*path", func(w http.ResponseWriter, _ *http.Request, _ httprouter.Params) {
		w.Header().Set("Location", passedTo)
		w.WriteHeader(http.StatusFound)
	})
	return process.UntilOrphaned(func() error {
		return http.ListenAndServe(address, r) //nolint:gosec // Only wrk connects
	})
}
