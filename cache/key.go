package cache

// channel is where changed keys are announced.
const channel = "cm:changed"

// Key names an object's entry by its pool and the hash of its URL. It is injective because neither a pool id nor a hash
// has a slash. The braces keep an entry and its generation in one slot of a redis cluster.
func Key(pool, hash string) string { return keyPrefix + pool + "/" + hash + "}" }

func failuresKey(key string) string { return key + ":failures" }

func generationKey(key string) string { return key + ":generation" }
