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
	// maxStale is for how long an entry may be served after it has changed.
	maxStale = 80 * time.Millisecond
	// trackInterval is how often redis is asked whether there was a change. What it has announced by then is known after
	// its answer.
	trackInterval = 20 * time.Millisecond
	// trackTimeout is how long it may take to answer before the connection is given up. Entries are not believed long
	// before that.
	trackTimeout = time.Second
	// trackBackoff and refusedBackoff are how long after a connection was lost, or a server refused, it is tried again.
	trackBackoff   = 100 * time.Millisecond
	refusedBackoff = 30 * time.Second
)

// keyPrefix is what the names of all entries begin with.
const keyPrefix = "cm:{"

// Run keeps the layer coherent until ctx is over. A redis that can't announce changes is asked again now and then.
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

// track listens to a connection of its own on which redis announces every change of a key with our prefix (broadcast
// mode, https://redis.io/docs/latest/develop/reference/client-side-caching/), until it fails.
//
// Announcements and replies come in one stream, and a reply is read after the announcements before it: once a PING is
// answered, all that changed before it was sent is known. A change within the same turn of the server's loop is announced
// after the reply; it happened after the PING was sent too.
func (n *NearCache) track(ctx context.Context, up func()) error {
	opt := n.options
	opt.ReadTimeout, opt.WriteTimeout, opt.DialTimeout = trackTimeout, trackTimeout, trackTimeout
	client := redis.NewClient(&opt)
	defer client.Close() //nolint:errcheck // nothing to do about it
	conn := client.EphemeralConn()
	defer conn.Close() //nolint:errcheck // nothing to do about it
	// Replies are not waited for beyond the end of ctx.
	defer context.AfterFunc(ctx, func() { _ = client.Close() })()

	if err := conn.RegisterPushNotificationHandler("invalidate", invalidations{n}, false); err != nil {
		return fmt.Errorf("listen to announcements: %w", err)
	}
	// Not before the connection has its reader: what is announced is lost without.
	if err := conn.ClientTrackingOn(ctx, &redis.ClientTrackingOptions{Bcast: true, Prefixes: []string{keyPrefix}}).Err(); err != nil {
		return fmt.Errorf("ask for announcements: %w", err)
	}
	n.forgetAll(true)
	up()
	ticker := time.NewTicker(trackInterval)
	defer ticker.Stop()
	for {
		sent := time.Now()
		if err := conn.Ping(ctx).Err(); err != nil {
			return fmt.Errorf("listen to announcements: %w", err)
		}
		n.freshSince(sent)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

// invalidations is what redis says of changed keys: their names, or nothing for all of them (FLUSHDB and FLUSHALL).
type invalidations struct{ *NearCache }

var _ push.NotificationHandler = invalidations{}

func (i invalidations) HandlePushNotification(_ context.Context, _ push.NotificationHandlerContext, message []any) error {
	if len(message) < 2 {
		return fmt.Errorf("announcement of %d parts", len(message))
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
