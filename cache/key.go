package cache

import (
	"encoding/base64"
	"encoding/hex"
)

// channel is where changed keys are announced.
const channel = "cm:changed"

// Key names an object's entry by its pool and the hash of its URL, in lower-case hex. It is injective because neither a
// pool id nor a hash has a slash. Redis gets the hash in base64, of which it has to keep a third less. The braces keep an
// entry and its generation in one slot of a redis cluster.
func Key(pool, hash string) string {
	if sum, err := hex.DecodeString(hash); err == nil {
		hash = base64.RawURLEncoding.EncodeToString(sum)
	}
	return keyPrefix + pool + "/" + hash + "}"
}

func failuresKey(key string) string { return key + ":failures" }

func generationKey(key string) string { return key + ":generation" }
