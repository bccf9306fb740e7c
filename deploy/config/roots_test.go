package config_test

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/frontend/upstream"
	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

// TestPathsThatLeadOutOfARoot compares both guards of an upstream's root: frontend/upstream judges
// requests, and storage/origin judges sources and hops. Neither may import the other. A path that
// only one guard refuses would be a hole in the other.
func TestPathsThatLeadOutOfARoot(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	const root = "https://good.example/a/b/"
	set, err := upstream.New([]upstream.Options{{URL: root, Copy: []string{"^/"}}})
	require.NoError(t, err)
	client, err := origin.New(origin.Config{Allowed: []string{root}})
	require.NoError(t, err)
	parts := []string{
		"a", "b.", "...", ".", "..", "/", "/", ";", ";x", `\`, "%", "%25", "25", "2e", "2F", "%20", "%2e", "%2E", "%2f", "%2F", "%5c",
		"%5C", "%3b", "%3B", "%c0", "%C1", "%ae", "%2G", "%00", "%0a", "%7F",
	}
	inside, outside := 0, 0
	for range 100_000 {
		var path strings.Builder
		for range 1 + random.IntN(6) {
			path.WriteString(parts[random.IntN(len(parts))])
		}
		canonical, err := origin.Canonical(root + path.String())
		if err != nil { // Such a path is refused as a source, and never copied.
			require.ErrorIs(t, err, origin.ErrBareEscape)
			continue
		}
		m, err := set.Resolve("good.example/" + path.String())
		_, refused := errors.AsType[*upstream.PathError](err)
		require.Equal(t, refused, client.Check(canonical) != nil, "%s: %v", path.String(), err)
		if refused {
			outside++
			continue
		}
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(m.URL, root))
		inside++
	}
	require.Greater(t, inside, 5_000)
	require.Greater(t, outside, 5_000)
}
