package cache

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/push"
)

const (
	// maxStale bounds how long a changed entry may still be served from memory: each answered PING
	// makes entries fresh for maxStale, counted from before the PING was sent.
	//
	// The package promises 100 ms. The difference of 20 ms is slack: a front end compares freshness
	// with the time at which a request starts, and its response leaves later.
	maxStale = 80 * time.Millisecond
	// trackInterval is the time between PINGs. Redis's answer follows all invalidations that it
	// sent before.
	trackInterval = 20 * time.Millisecond
	// trackTimeout bounds the wait for an answer, after which the connection is closed. Entries are
	// stale long before that.
	trackTimeout = time.Second
	// trackBackoff is the time until a retry after the connection was lost, refusedBackoff after
	// the server refused to track.
	trackBackoff   = 100 * time.Millisecond
	refusedBackoff = 30 * time.Second
)

// Run keeps the near cache coherent until ctx ends. If a redis does not support tracking, Run
// retries every 30 s. It returns at once if the near cache holds nothing.
func (n *NearCache) Run(ctx context.Context) {
	if n.entries == nil {
		return
	}
	up, said := false, false
	for ctx.Err() == nil {
		err := n.track(ctx, func() { up = true; n.onChange(true, nil) })
		n.forgetAll(false)
		backoff := trackBackoff
		if _, refused := errors.AsType[redis.Error](err); refused {
			backoff = refusedBackoff
		}
		if ctx.Err() == nil && (up || !said) {
			n.onChange(false, err)
		}
		up, said = false, true
		pause(ctx, backoff)
	}
}

// track opens its own connection, on which redis sends an invalidation for every change of a key
// with our prefix (broadcast mode,
// https://redis.io/docs/latest/develop/reference/client-side-caching/). It calls up once redis
// tracks, and returns when the connection fails or ctx ends.
//
// Invalidations and replies share one stream, and a reply is read after the invalidations before
// it. Once redis has answered a PING, this process knows all changes from before the PING was sent.
// The invalidation of a change in the same turn of redis's event loop follows the reply, and that
// change happened after the PING was sent too.
func (n *NearCache) track(ctx context.Context, up func()) error {
	opt := n.options
	opt.ReadTimeout, opt.WriteTimeout, opt.DialTimeout = trackTimeout, trackTimeout, trackTimeout
	client := redis.NewClient(&opt)
	defer client.Close() //nolint:errcheck // nothing to do about it
	conn := client.EphemeralConn()
	defer conn.Close() //nolint:errcheck // nothing to do about it
	// Close the client when ctx ends, since a read of a reply ignores ctx.
	defer context.AfterFunc(ctx, func() { _ = client.Close() })()

	if err := conn.RegisterPushNotificationHandler("invalidate", invalidations{n}, false); err != nil {
		return fmt.Errorf("register for invalidations: %w", err)
	}
	// Turn tracking on only now: invalidations without a handler would be lost.
	if err := conn.ClientTrackingOn(ctx, &redis.ClientTrackingOptions{Bcast: true, Prefixes: []string{keyPrefix(n.prefix)}}).Err(); err != nil {
		return fmt.Errorf("turn tracking on: %w", err)
	}
	n.forgetAll(true)
	up()
	ticker := time.NewTicker(trackInterval)
	defer ticker.Stop()
	for {
		sent := time.Now()
		if err := conn.Ping(ctx).Err(); err != nil {
			return fmt.Errorf("receive invalidations: %w", err)
		}
		n.freshSince(sent)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

// invalidations handles redis's invalidation messages. A message holds the changed keys, or none
// if all keys changed (FLUSHDB and FLUSHALL).
type invalidations struct{ *NearCache }

var _ push.NotificationHandler = invalidations{}

func (i invalidations) HandlePushNotification(_ context.Context, _ push.NotificationHandlerContext, message []any) error {
	if len(message) < 2 {
		return fmt.Errorf("invalidation message of %d parts", len(message))
	}
	names, ok := message[1].([]any)
	if !ok {
		i.forgetAll(true)
		return nil
	}
	keys := make([]string, 0, len(names))
	for _, name := range names {
		if key, ok := name.(string); ok {
			keys = append(keys, key)
		}
	}
	i.forget(keys...)
	return nil
}
