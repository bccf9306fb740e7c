package cache_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
)

// earlierBody is the JSON part of an entry, as builds before the attempts were added decode it.
type earlierBody struct {
	Identity     string `json:"i"`
	Deadline     int64  `json:"d"`
	Expires      int64  `json:"e,omitempty"`
	Size         int64  `json:"s,omitempty"`
	SHA256       string `json:"sha256,omitempty"`
	Owner        string `json:"owner,omitempty"`
	Done         int64  `json:"done,omitempty"`
	Total        int64  `json:"total,omitempty"`
	Low          bool   `json:"low,omitempty"`
	Class        string `json:"class,omitempty"`
	Status       int    `json:"status,omitempty"`
	AboutObject  bool   `json:"aboutObject,omitempty"`
	Permanent    bool   `json:"permanent,omitempty"`
	Unmirrorable bool   `json:"unmirrorable,omitempty"`
	Text         string `json:"text,omitempty"`
}

// TestAttemptsInAMixedFleet exchanges entries with an earlier build, in both directions.
func TestAttemptsInAMixedFleet(t *testing.T) {
	c, server, undecodable := openOwn(t, cache.Options{Rules: cachetest.Rules()})
	key, now := cachetest.Key(t.Name()), time.Now().Truncate(time.Millisecond)
	plain := cachetest.Rules().Pending(now, "me", 5, 10)
	retried := plain
	retried.Attempts, retried.NextRetry = 2, now.Add(time.Second)
	require.NoError(t, c.Put(t.Context(), key, 0, retried))
	read, err := c.Get(t.Context(), key)
	require.NoError(t, err)
	require.Equal(t, retried, read, "control: this build reads the attempts")

	state, text, _ := strings.Cut(server.Get(t.Context(), key).Val(), " ")
	require.Equal(t, "pending", state)
	var body earlierBody
	require.NoError(t, json.Unmarshal([]byte(text), &body))
	require.Equal(t, earlierBody{Identity: cache.Identity(key), Deadline: plain.Deadline.UnixMilli(), Owner: "me", Done: 5, Total: 10}, body)

	written, err := json.Marshal(body)
	require.NoError(t, err)
	require.NoError(t, server.Set(t.Context(), key, state+" "+string(written), time.Minute).Err())
	read, err = c.Get(t.Context(), key)
	require.NoError(t, err)
	require.Equal(t, plain, read, "an earlier build writes none")
	require.Zero(t, undecodable.Load())
}
