package cache

import (
	"encoding/base64"
	"encoding/hex"
)

// channel is the pub/sub channel on which scripts publish changed keys.
const channel = "cm:changed"

// Key is the redis key of an object's entry. The object's hash is the lower-case hex digest of its
// URL. Key is injective because neither a pool id nor a hash has a slash. The key has the hash in
// base64, which takes a third less memory. The braces are a hash tag
// (https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/): they keep an entry
// and its generation, failures and claim in one slot of a redis cluster.
func Key(pool, hash string) string {
	if sum, err := hex.DecodeString(hash); err == nil {
		hash = base64.RawURLEncoding.EncodeToString(sum)
	}
	return keyPrefix + pool + "/" + hash + "}"
}

// failuresKey is the key of the row of failures, a hash. Until 2026-11-25 it was a number, under
// another key.
func failuresKey(key string) string { return key + ":row" }

func generationKey(key string) string { return key + ":generation" }

func claimKey(key string) string { return key + ":verified" }

// backlogKey is the key of a pool's backlog. The hash tag keeps all pools in one slot of a redis
// cluster. The prefix differs from keyPrefix, so that redis sends no invalidation for it.
func backlogKey(pool string) string { return "cm:backlog:{pools}:" + pool }
