package cache

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
)

// DefaultPrefix is the prefix of all keys and channels in redis unless configuration sets another.
const DefaultPrefix = "cm"

// version is the version of keys and values. Builds with different versions have different keys, so
// neither build reads the entries of the other.
const version = "2"

// bucketBytes is the length of the digest of a bucket in a key, before base64.
const bucketBytes = 6

// Space is the key space of one bucket: it makes the keys of the entries of its objects. Two pools,
// buckets, endpoints or prefixes have different keys, so an entry never leads to another bucket.
type Space struct{ start, bucket string }

// NewSpace returns the space of a pool's bucket. Endpoint is the base URL of the S3-compatible
// server, or empty for AWS. Its case and its last slash don't matter.
func NewSpace(prefix, poolID, endpoint, bucket string) Space {
	endpoint = strings.ToLower(strings.TrimRight(endpoint, "/"))
	sum := sha256.Sum256([]byte(endpoint + "\x00" + bucket)) // Neither has a zero byte.
	id := base64.RawURLEncoding.EncodeToString(sum[:bucketBytes])
	return Space{start: keyPrefix(prefix) + poolID + "/" + id + "/", bucket: id}
}

// Bucket identifies the pool's bucket: its endpoint and name, hashed.
func (s Space) Bucket() string { return s.bucket }

// Key is the redis key of an object's entry. The object's hash is the lower-case hex digest of its
// URL. Key is injective because neither a pool id nor a hash has a slash. The key has the hash in
// base64, which takes a third less memory. The braces are a hash tag
// (https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/): they keep an entry
// and its generation, failures and claim in one slot of a redis cluster.
func (s Space) Key(hash string) string {
	if sum, err := hex.DecodeString(hash); err == nil {
		hash = base64.RawURLEncoding.EncodeToString(sum)
	}
	return s.start + hash + "}"
}

// AppendHash appends the hash of the object with that key to dst: it reverses [Space.Key]. It
// allocates nothing if dst has the room.
func (s Space) AppendHash(dst []byte, key string) []byte {
	hash := strings.TrimSuffix(strings.TrimPrefix(key, s.start), "}")
	var text [44]byte // Of a SHA-256 in base64, 43 bytes.
	var sum [33]byte
	if n := copy(text[:], hash); n == len(hash) {
		if n, err := base64.RawURLEncoding.Decode(sum[:], text[:n]); err == nil && n == sha256.Size {
			return hex.AppendEncode(dst, sum[:n])
		}
	}
	return append(dst, hash...)
}

// formerChannel is the channel of builds before 2026-11-26.
const formerChannel = "cm:changed"

// formerKey returns the object's key in builds before 2026-11-26. They know only [DefaultPrefix],
// so a deployment with another prefix has no such entries.
func formerKey(prefix, key string) (string, bool) {
	rest, ok := strings.CutPrefix(key, keyPrefix(DefaultPrefix))
	parts := strings.Split(rest, "/")
	if !ok || prefix != DefaultPrefix || len(parts) != 3 {
		return "", false
	}
	return "cm:{" + parts[0] + "/" + parts[2], true
}

// keyPrefix is the prefix of the keys of all entries.
func keyPrefix(prefix string) string { return prefix + ":" + version + ":{" }

// channel is the pub/sub channel on which scripts publish changed keys.
func channel(prefix string) string { return prefix + ":" + version + ":changed" }

// failuresKey is the key of the row of failures, a hash.
func failuresKey(key string) string { return key + ":row" }

func generationKey(key string) string { return key + ":generation" }

func claimKey(key string) string { return key + ":verified" }

// backlogKey is the key of a pool's backlog. The hash tag keeps all pools in one slot of a redis
// cluster. The prefix differs from keyPrefix, so that redis sends no invalidation for it.
func backlogKey(prefix, pool string) string {
	return prefix + ":" + version + ":backlog:{pools}:" + pool
}

// bypassKey is the key of all bypasses. It has a hash tag because scripts get further keys with it.
func bypassKey(prefix string) string { return prefix + ":" + version + ":bypass:{all}" }
