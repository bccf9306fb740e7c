package origin_test

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cloud-mirror/cloud-mirror/storage/origin"
)

func TestVerifier(t *testing.T) {
	all := digests(t, "sha-512 sha-256 sha md5")
	unknown := origin.Digest{Algorithm: "crc32c", Value: []byte{1, 2, 3, 4}}
	for _, tt := range []struct {
		name, written string
		want          []origin.Digest
		mismatch      string // the algorithm that does not match; "" if all do
	}{
		{"no digest", content, nil, ""},
		{"no digest, no bytes", "", nil, ""},
		{"all algorithms", content, all, ""},
		{"no bytes", "", all, "sha-512"},
		{"one byte short", content[:9], all, "sha-512"},
		{"a byte too many", content + "a", all, "sha-512"},
		{"a wrong sha-512", content, []origin.Digest{all[3], all[2], all[1], corrupted(all[0])}, "sha-512"},
		{"a wrong sha-256", content, []origin.Digest{all[0], corrupted(all[1]), all[2], all[3]}, "sha-256"},
		{"a wrong sha", content, []origin.Digest{all[0], all[1], corrupted(all[2]), all[3]}, "sha"},
		{"a wrong md5", content, []origin.Digest{all[0], all[1], all[2], corrupted(all[3])}, "md5"},
		{"the same digest twice", content, []origin.Digest{all[0], all[0]}, ""},
		{"two values for one algorithm", content, []origin.Digest{all[1], corrupted(all[1])}, "sha-256"},
		{"a truncated value", content, []origin.Digest{{Algorithm: "md5", Value: all[3].Value[:8]}}, "md5"},
		{"no value", content, []origin.Digest{{Algorithm: "md5"}}, "md5"},
		{"an unknown algorithm", content, []origin.Digest{unknown}, "crc32c"},
		{"an unknown algorithm among others", content, append(digests(t, "md5"), unknown), "crc32c"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := origin.NewVerifier(tt.want...)
			assert.Equal(t, len(tt.want) > 0, v.Needed())
			for _, c := range []byte(tt.written) {
				_ = v.Check() // must not affect later writes
				n, err := v.Write([]byte{c})
				require.NoError(t, err)
				require.Equal(t, 1, n)
			}
			if tt.mismatch == "" {
				require.NoError(t, v.Check())
				return
			}
			failure := requireFailure(t, v.Check(), "SourceCorrupt", false)
			if tt.mismatch == "crc32c" {
				assert.Equal(t, "the bytes do not match their crc32c digest 01020304", failure.Error())
				return
			}
			assert.Regexp(t, `^the bytes do not match their `+tt.mismatch+` digest [0-9a-f]{0,128}, but have [0-9a-f]{32,128}$`, failure.Error())
		})
	}
}

func TestVerifierResumesFromState(t *testing.T) {
	for _, algorithms := range []string{"", "sha-512", "sha-256", "sha", "md5", "sha-512 sha-256 sha md5"} {
		t.Run(algorithms, func(t *testing.T) {
			want := digests(t, algorithms)
			for i := range len(content) + 1 {
				first := origin.NewVerifier(want...)
				_, err := io.WriteString(first, content[:i])
				require.NoError(t, err)
				state, err := first.State()
				require.NoError(t, err)
				require.Equal(t, first.Needed(), state != nil)
				require.LessOrEqual(t, len(state), 1024)

				resumed := origin.NewVerifier(want...)
				_, err = io.WriteString(resumed, "Restore forgets earlier writes")
				require.NoError(t, err)
				require.NoError(t, resumed.Restore(state))
				_, err = io.WriteString(resumed, content[i:])
				require.NoError(t, err)
				require.NoError(t, resumed.Check())

				if first.Needed() && i < len(content) {
					require.Error(t, first.Check(), "the two do not share their state")
				}
			}
		})
	}
}

func TestVerifierStateIsSmall(t *testing.T) {
	v := origin.NewVerifier(digests(t, "sha-512 sha-256 sha md5")...)
	_, err := v.Write(bytes.Repeat([]byte("a"), 1<<20-1)) // the last block is not full
	require.NoError(t, err)
	state, err := v.State()
	require.NoError(t, err)
	require.LessOrEqual(t, len(state), 1024)
}

func TestRestoreRejectsInvalidState(t *testing.T) {
	stateOf := func(algorithms string) []byte {
		state, err := origin.NewVerifier(digests(t, algorithms)...).State()
		require.NoError(t, err)
		return state
	}
	sha := string(stateOf("sha"))
	for _, tt := range []struct {
		name, algorithms string
		state            []byte
		ok               bool
	}{
		{"its own state", "sha md5", stateOf("sha md5"), true},
		{"its own state, in another order", "md5 sha", stateOf("sha md5"), true},
		{"no state, no digests", "", nil, true},
		{"a missing algorithm", "sha md5", stateOf("sha"), false},
		{"an extra algorithm", "sha", stateOf("sha md5"), false},
		{"another algorithm", "sha", stateOf("md5"), false},
		{"one algorithm of two differs", "sha md5", stateOf("sha sha-256"), false},
		{"no state", "sha", nil, false},
		{"a state, no digests", "", stateOf("sha"), false},
		{"null", "sha", []byte("null"), false},
		{"not json", "sha", []byte("{"), false},
		{"json of another shape", "sha", []byte(`{"sha":[]}`), false},
		{"under another algorithm's name", "md5", []byte(strings.Replace(sha, `"sha"`, `"md5"`, 1)), false},
		{"cut short", "sha", []byte(strings.Replace(sha, "AAAA", "", 1)), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := origin.NewVerifier(digests(t, tt.algorithms)...)
			_, err := io.WriteString(v, content[:5])
			require.NoError(t, err)
			err = v.Restore(tt.state)
			rest := content[5:]
			if tt.ok {
				require.NoError(t, err)
				rest = content
			} else {
				require.Error(t, err)
				require.NotErrorAs(t, err, new(*origin.Error), "no source is to blame")
			}
			_, err = io.WriteString(v, rest)
			require.NoError(t, err)
			require.NoError(t, v.Check(), "a failed Restore leaves the Verifier unchanged")
		})
	}
}
