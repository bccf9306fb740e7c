package origin_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// crossed is two hosts with one connection each. Each serves an object, to which the other redirects.
type crossed struct {
	client *origin.Client
	a, b   *source
	// before is called by each redirect.
	before func()
}

func newCrossed(t *testing.T) *crossed {
	c := &crossed{before: func() {}}
	serve := func(other func() string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/far" {
				c.before()
				http.Redirect(w, r, other()+"/near", http.StatusFound)
				return
			}
			serveContent(w, r)
		}
	}
	c.a = newSource(t, serve(func() string { return c.b.URL }))
	c.b = newSource(t, serve(func() string { return c.a.URL }))
	c.client = newClient(t, func(cfg *origin.Config) { cfg.MaxConnsPerHost = 1 })
	return c
}

// servedBy returns the Meta of an object that a host redirects to another.
func servedBy(from, to *source) origin.Meta {
	m := contentMeta
	m.Addresses = []origin.Hop{{Host: from.Listener.Addr().String()}, {Host: to.Listener.Addr().String()}}
	return m
}

// TestPlacesDoNotWaitForEachOther has two parts hold the only connections of two hosts. Each is
// redirected from the host to which the other part has a connection.
func TestPlacesDoNotWaitForEachOther(t *testing.T) {
	c, ctx := newCrossed(t), testContext(t)
	x, err := c.client.Reserve(ctx, c.a.URL+"/far", servedBy(c.a, c.b))
	require.NoError(t, err)
	y, err := c.client.Reserve(ctx, c.b.URL+"/far", servedBy(c.b, c.a))
	require.NoError(t, err)
	errs := make(chan error, 2)
	get := func(url string, m origin.Meta, p *origin.Place) {
		body, err := c.client.GetRange(p.With(ctx), url, m, 2, 3)
		if err == nil {
			err = body.Close()
		}
		p.Release()
		errs <- err
	}
	go get(c.a.URL+"/far", servedBy(c.a, c.b), x)
	go get(c.b.URL+"/far", servedBy(c.b, c.a), y)
	require.NoError(t, <-errs)
	require.NoError(t, <-errs)
}

// TestPlaceIsKeptUnlessTheFirstHopIsBusy has the first host answer at once. The part keeps its place.
func TestPlaceIsKeptUnlessTheFirstHopIsBusy(t *testing.T) {
	c, ctx := newCrossed(t), testContext(t)
	now, cancel := context.WithCancel(ctx)
	cancel() // Reserves without a wait
	kept := false
	c.before = func() {
		_, err := c.client.Reserve(now, c.b.URL+"/near", contentMeta)
		kept = err != nil
	}
	p, err := c.client.Reserve(ctx, c.a.URL+"/far", servedBy(c.a, c.b))
	require.NoError(t, err)
	body, err := c.client.GetRange(p.With(ctx), c.a.URL+"/far", servedBy(c.a, c.b), 2, 3)
	require.NoError(t, err)
	require.True(t, kept)
	require.NoError(t, body.Close())
	_, err = c.client.Reserve(now, c.b.URL+"/near", contentMeta) // Positive control
	require.NoError(t, err)
}
