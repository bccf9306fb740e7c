package cache_test

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/cache"
	"github.com/cloud-mirror/cloud-mirror/cache/cachetest"
)

// documentedUser returns the ACL rules of a user that the page for operators documents, with the
// password "secret". User 0 is for redis, and user 1 for sentinels.
func documentedUser(t *testing.T, user int) (rules []any, commands []string) {
	t.Helper()
	page, err := os.ReadFile("../deploy/REDIS.md")
	require.NoError(t, err)
	text := regexp.MustCompile(`(?s)ACL SETUSER cloud-mirror (.*?)\n`+"```").FindAllSubmatch(page, -1)
	require.Len(t, text, 2, "the page has two users")
	for rule := range strings.FieldsSeq(strings.ReplaceAll(string(text[user][1]), `\`, " ")) {
		rules = append(rules, strings.ReplaceAll(rule, "PASSWORD", "secret"))
		if command, ok := strings.CutPrefix(rule, "+"); ok {
			commands = append(commands, command)
		}
	}
	return rules, commands
}

// TestTheDocumentedUser runs all functions as the user that the page for operators documents. No
// command is refused, and each command of the list is used.
func TestTheDocumentedUser(t *testing.T) {
	rules, commands := documentedUser(t, 0)
	cluster := cachetest.StartCluster(t, 3, true)
	for _, s := range append(cluster.Masters, cluster.Replicas...) {
		s.Do(append([]any{"ACL", "SETUSER", "cloud-mirror"}, rules...)...)
		s.Do("CONFIG", "RESETSTAT")
	}
	c := openAt(t, strings.Replace(cluster.URL, "://", "://cloud-mirror:secret@", 1))
	n, _ := nearOf(t, c)
	t.Run("contract", func(t *testing.T) { cachetest.Run(t, delayed{n}) })
	t.Run("wakes", func(t *testing.T) { cachetest.RunWakes(t, c, watch(t, c, func(bool) {})) })
	key := cachetest.Key(t.Name())
	require.NoError(t, c.PutBacklog(t.Context(), "a", cache.Backlog{}, time.Minute))
	require.NoError(t, c.AddBypass(t.Context(), inAnHour("host:a")))
	from, to, slot := cluster.Of(key), cluster.Masters[0], cluster.Slot(key)
	if from == to {
		to = cluster.Masters[1]
	}
	cluster.BeginMove(slot, from, to)
	_, err := c.Get(t.Context(), key) // ASK
	require.NoError(t, err)

	used := map[string]int{}
	for _, s := range append(cluster.Masters, cluster.Replicas...) {
		for _, command := range commands {
			used[command] += s.Calls(command)
		}
		for _, refused := range s.Do("ACL", "LOG").([]any) {
			// The library tells redis its name, which may fail.
			require.Contains(t, fmt.Sprint(refused), "client|setinfo")
		}
	}
	for _, command := range commands {
		if command != "select" && command != "ping" { // A cluster has one database, and trackers send ROLE.
			require.Positive(t, used[command], "%s is not used", command)
		}
	}
	require.Greater(t, len(commands), 20)

	// On one server, with a database.
	server := cachetest.StartServer(t)
	server.Do(append([]any{"ACL", "SETUSER", "cloud-mirror"}, rules...)...)
	one := openAt(t, "redis://cloud-mirror:secret@"+server.Addr+"/3")
	near, _ := nearOf(t, one)
	hold(t, near, one, t.Name())
	require.Positive(t, server.Calls("select"))
	require.Positive(t, server.Calls("ping"))
	for _, refused := range server.Do("ACL", "LOG").([]any) {
		require.Contains(t, fmt.Sprint(refused), "client|setinfo")
	}

	// The control: without a command, its function is refused.
	server.Do("ACL", "SETUSER", "cloud-mirror", "-getrange")
	_, err = one.Get(context.Background(), key)
	require.ErrorContains(t, err, "NOPERM")
}

// TestTheDocumentedUserOfSentinels fails over with the user of sentinels that the page for operators
// documents.
func TestTheDocumentedUserOfSentinels(t *testing.T) {
	rules, _ := documentedUser(t, 1)
	s := cachetest.StartSentinels(t)
	for _, sentinel := range s.Sentinels {
		sentinel.Do(append([]any{"ACL", "SETUSER", "cloud-mirror"}, rules...)...)
	}
	c := openAt(t, strings.Replace(s.URL, ":"+cachetest.SentinelPassword+"@", "cloud-mirror:secret@", 1))
	n, down := nearOf(t, c)
	key := hold(t, n, c, t.Name())
	former := s.Master()
	s.Sentinels[0].Do("SENTINEL", "FAILOVER", "main")
	require.Eventually(t, func() bool { return down.Load() > 0 && s.Master() != former }, 30*time.Second, time.Millisecond)
	remember(t, n, key)
	for _, sentinel := range s.Sentinels {
		require.Empty(t, sentinel.Do("ACL", "LOG"))
		// The control: without a command, the sentinel refuses it, and says so.
		sentinel.Do("ACL", "SETUSER", "cloud-mirror", "-sentinel|get-master-addr-by-name")
	}
	s.Master().Do("CLIENT", "KILL", "TYPE", "normal")
	require.Eventually(t, func() bool {
		_, err := c.Get(t.Context(), key)
		return err != nil && strings.Contains(err.Error(), "NOPERM")
	}, 20*time.Second, time.Millisecond)
}
