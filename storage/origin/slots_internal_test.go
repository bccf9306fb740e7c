package origin

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// transport is a source without a network. It works in a synctest bubble.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func respond(r *http.Request, status int, header http.Header, body string) *http.Response {
	return &http.Response{
		StatusCode: status, Header: header, Request: r, ContentLength: int64(len(body)),
		Body: io.NopCloser(strings.NewReader(body)),
	}
}

func newFakeClient(t *testing.T, most int, source transport) *Client {
	t.Helper()
	client, err := New(Config{Allowed: []string{"https://h.example/"}, MaxConnsPerHost: most})
	require.NoError(t, err)
	client.transport = source
	return client
}

// TestPatience: a first request waits for 2 s, and a large one as long as its context allows.
func TestPatience(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		client := newFakeClient(t, 1, func(r *http.Request) (*http.Response, error) {
			if r.Header.Get("Range") != "" {
				return respond(r, http.StatusPartialContent, http.Header{"Etag": {`"1"`}, "Content-Range": {"bytes 0-0/10"}}, "0"), nil
			}
			return respond(r, http.StatusOK, nil, "0123456789"), nil
		})
		const url = "https://h.example/?SECRET"
		ranged := func(ctx context.Context) (*Body, error) {
			return client.GetRange(ctx, url, Meta{Size: 10, ETag: `"1"`, AcceptRanges: true}, 0, 1)
		}
		first, err := client.First(t.Context(), url)
		require.NoError(t, err)
		large, err := client.Get(t.Context(), url)
		require.NoError(t, err, "of another budget")
		part, err := ranged(t.Context())
		require.NoError(t, err, "of a third budget")

		started := time.Now()
		_, err = client.First(t.Context(), url)
		require.Equal(t, 2*time.Second, time.Since(started))
		failure, ok := errors.AsType[*Error](err)
		require.True(t, ok)
		require.Equal(t, &Error{Class: ClassBusy, Text: "all connections to host h.example are in use"}, failure)
		require.False(t, failure.Permanent)

		go func() {
			pass(firstPatience - time.Millisecond)
			_ = first.Close()
		}()
		again, err := client.First(t.Context(), url)
		require.NoError(t, err, "in time")
		require.NoError(t, again.Close())

		for name, send := range map[string]func(context.Context) (*Body, error){
			"First":    func(ctx context.Context) (*Body, error) { return client.First(ctx, url) },
			"Get":      func(ctx context.Context) (*Body, error) { return client.Get(ctx, url) },
			"GetRange": ranged,
		} {
			busy, err := client.First(t.Context(), url)
			require.NoError(t, err)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			_, err = send(ctx)
			cancel()
			require.ErrorIs(t, err, context.DeadlineExceeded, name)
			require.NotErrorAs(t, err, new(*Error), name)
			require.NotContains(t, err.Error(), "SECRET")
			require.NoError(t, busy.Close())
		}

		require.NoError(t, part.Close())
		go func() {
			pass(time.Hour)
			_ = large.Close()
		}()
		started = time.Now()
		large, err = client.Get(t.Context(), url)
		require.NoError(t, err)
		require.Equal(t, time.Hour, time.Since(started))
		require.NoError(t, large.Close())
		require.Empty(t, client.conns.gates)
	})
}

// TestEveryEndReleasesTheSlots: with one slot per budget, a lost one would fail the next request.
func TestEveryEndReleasesTheSlots(t *testing.T) {
	partial := func(etag string) http.Header {
		return http.Header{"Etag": {etag}, "Content-Range": {"bytes 0-0/10"}}
	}
	for _, tt := range []struct {
		name   string
		source transport
	}{
		{"the object", func(r *http.Request) (*http.Response, error) { return respond(r, 200, nil, "0123456789"), nil }},
		{"the range", func(r *http.Request) (*http.Response, error) { return respond(r, 206, partial(`"1"`), "0"), nil }},
		{"the range of another object", func(r *http.Request) (*http.Response, error) { return respond(r, 206, partial(`"2"`), "0"), nil }},
		{"404", func(r *http.Request) (*http.Response, error) { return respond(r, 404, nil, ""), nil }},
		{"503", func(r *http.Request) (*http.Response, error) { return respond(r, 503, nil, ""), nil }},
		{"no response", func(*http.Request) (*http.Response, error) { return nil, io.EOF }},
		{"contradicting digests", func(r *http.Request) (*http.Response, error) {
			return respond(r, 200, http.Header{"Digest": {"md5=AAAAAAAAAAAAAAAAAAAAAA==,md5=AAAAAAAAAAAAAAAAAAAAAQ=="}}, ""), nil
		}},
		{"redirects", func(r *http.Request) (*http.Response, error) {
			if r.URL.Path == "/" {
				return respond(r, 302, http.Header{"Location": {"/object"}}, ""), nil
			}
			return respond(r, 200, nil, "0123456789"), nil
		}},
		{"a redirect loop", func(r *http.Request) (*http.Response, error) {
			return respond(r, 302, http.Header{"Location": {"/"}}, ""), nil
		}},
		{"a redirect elsewhere", func(r *http.Request) (*http.Response, error) {
			return respond(r, 302, http.Header{"Location": {"https://other.example/"}}, ""), nil
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				client := newFakeClient(t, 1, tt.source)
				for range 3 {
					first, firstErr := client.First(t.Context(), "https://h.example/")
					large, largeErr := client.Get(t.Context(), "https://h.example/")
					for body, err := range map[*Body]error{first: firstErr, large: largeErr} {
						if err == nil {
							require.NoError(t, body.Close())
							require.NoError(t, body.Close())
						}
					}
					part, err := client.GetRange(t.Context(), "https://h.example/", Meta{Size: 10, ETag: `"1"`, AcceptRanges: true}, 0, 1)
					require.NotErrorIs(t, err, context.DeadlineExceeded)
					if err == nil {
						require.NoError(t, part.Close())
					}
				}
				require.Empty(t, client.conns.gates)
			})
		})
	}
}

// TestRedirectWithinAHostKeepsTheSlot has another request wait for the only connection to a host
// while the host redirects to itself. A part that queued again would hold its memory meanwhile.
func TestRedirectWithinAHostKeepsTheSlot(t *testing.T) {
	const url = "https://h.example/"
	meta := Meta{Size: 10, ETag: `"1"`, AcceptRanges: true}
	for name, tc := range map[string]struct {
		budget budget
		send   func(context.Context, *Client) (*Body, error)
	}{
		"First":    {firsts, func(ctx context.Context, c *Client) (*Body, error) { return c.First(ctx, url) }},
		"Get":      {streams, func(ctx context.Context, c *Client) (*Body, error) { return c.Get(ctx, url) }},
		"GetRange": {bulk, func(ctx context.Context, c *Client) (*Body, error) { return c.GetRange(ctx, url, meta, 0, 1) }},
		"GetRange with a place": {bulk, func(ctx context.Context, c *Client) (*Body, error) {
			p, err := c.Reserve(ctx, url, meta)
			require.NoError(t, err)
			return c.GetRange(p.With(ctx), url, meta, 0, 1)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				other := make(chan *slot, 1)
				var client *Client
				client = newFakeClient(t, 1, func(r *http.Request) (*http.Response, error) {
					switch {
					case r.URL.Path == "/":
						go func() {
							s, _ := client.conns.acquire(ctx, "h.example", tc.budget)
							other <- s
						}()
						synctest.Wait() // The other request is in the queue
						return respond(r, 302, http.Header{"Location": {"/object"}}, ""), nil
					case r.Header.Get("Range") == "":
						return respond(r, 200, nil, "0123456789"), nil
					default:
						return respond(r, 206, http.Header{"Etag": {`"1"`}, "Content-Range": {"bytes 0-0/10"}}, "0"), nil
					}
				})
				body, err := tc.send(ctx, client)
				require.NoError(t, err)
				synctest.Wait()
				require.Empty(t, other, "it waits for the end of the response")
				require.NoError(t, body.Close())
				(<-other).release()
				require.Empty(t, client.conns.gates)
			})
		})
	}
}

// TestServedRangesRaiseTheLimit has many ranges wait for a host with a lowered limit.
func TestServedRangesRaiseTheLimit(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var atOnce []int // By range, in the order of their starts
		var inFlight int
		var mu sync.Mutex
		client := newFakeClient(t, 2, func(r *http.Request) (*http.Response, error) {
			mu.Lock()
			inFlight++
			atOnce = append(atOnce, inFlight)
			mu.Unlock()
			pass(time.Second)
			mu.Lock()
			inFlight--
			mu.Unlock()
			return respond(r, 206, http.Header{"Etag": {`"1"`}, "Content-Range": {"bytes 0-0/10"}}, "0"), nil
		})
		lower(t, client.conns, 2)
		var all sync.WaitGroup
		for range 3 * growAfter {
			all.Go(func() {
				part, err := client.GetRange(t.Context(), "https://h.example/", Meta{Size: 10, ETag: `"1"`, AcceptRanges: true}, 0, 1)
				if assert.NoError(t, err) {
					assert.NoError(t, part.Close())
				}
			})
		}
		all.Wait()
		require.Len(t, atOnce, 3*growAfter)
		require.Equal(t, slices.Repeat([]int{1}, growAfter), atOnce[:growAfter])
		require.Equal(t, 2, slices.Max(atOnce))
	})
}
