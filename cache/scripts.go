package cache

import "github.com/redis/go-redis/v9"

// scripts holds the atomic changes of an entry. In each, KEYS[1] is the entry, KEYS[2] its
// generation and KEYS[3] its failures in a row. They compare states by a value's first word.
type scripts struct {
	acquire, put, swap, drop, purge, fail *redis.Script
}

func newScripts() scripts {
	return scripts{
		// acquire: ARGV value, ttl in ms. Returns the existing entry, or false after storing ours.
		acquire: redis.NewScript(`
local current = redis.call('GET', KEYS[1])
if current then return current end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return false`),

		// put: ARGV generation, value, ttl in ms, news, channel. It wakes waiters unless the former
		// value contains news; every value contains an empty news. Only a present entry replaces a
		// present entry: the bucket holds that copy, even if another copy failed. Returns 1 if
		// stored, 0 if it kept a present entry, -1 if the object was purged since the generation.
		put: redis.NewScript(`
local generation = tonumber(redis.call('GET', KEYS[2]) or '0')
if generation > tonumber(ARGV[1]) then return -1 end
local current = redis.call('GET', KEYS[1]) or ''
if string.sub(ARGV[2], 1, 8) ~= 'present ' and string.sub(current, 1, 8) == 'present ' then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
if string.sub(ARGV[2], 1, 8) == 'present ' then redis.call('DEL', KEYS[3]) end
if not string.find(current, ARGV[4], 1, true) then redis.call('PUBLISH', ARGV[5], KEYS[1]) end
return 1`),

		// swap: ARGV value, new value. Replaces the entry if it still has that value, and keeps its
		// ttl. Returns 1 if it did, 0 otherwise.
		swap: redis.NewScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'KEEPTTL')
return 1`),

		// drop: ARGV value, channel. Deletes the entry if it still has that value. Returns 1 if it
		// did, 0 otherwise.
		drop: redis.NewScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
redis.call('PUBLISH', ARGV[2], KEYS[1])
return 1`),

		// purge: ARGV now in ms, ttl of the generation in ms, channel. Returns the new generation,
		// greater than all before it.
		purge: redis.NewScript(`
local generation = tonumber(redis.call('GET', KEYS[2]) or '0')
local new = math.max(generation + 1, tonumber(ARGV[1]))
redis.call('SET', KEYS[2], string.format('%.0f', new), 'PX', ARGV[2])
redis.call('DEL', KEYS[1], KEYS[3])
redis.call('PUBLISH', ARGV[3], KEYS[1])
return string.format('%.0f', new)`),

		// fail: ARGV class, run, ttl in ms. Counts a failure, unless the last one was of the same
		// run. Returns the failures in a row, and those of this class at the row's end.
		fail: redis.NewScript(`
if redis.call('HGET', KEYS[3], 'run') ~= ARGV[2] then
  if redis.call('HGET', KEYS[3], 'class') ~= ARGV[1] then redis.call('HSET', KEYS[3], 'class', ARGV[1], 'same', 0) end
  redis.call('HSET', KEYS[3], 'run', ARGV[2])
  redis.call('HINCRBY', KEYS[3], 'all', 1)
  redis.call('HINCRBY', KEYS[3], 'same', 1)
end
redis.call('PEXPIRE', KEYS[3], ARGV[3])
return {tonumber(redis.call('HGET', KEYS[3], 'all')), tonumber(redis.call('HGET', KEYS[3], 'same'))}`),
	}
}
