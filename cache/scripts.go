package cache

import "github.com/redis/go-redis/v9"

// scripts holds the atomic changes of an entry. In each, KEYS[1] is the entry, KEYS[2] its
// generation and KEYS[3] its failures in a row. They compare states by a value's first word.
type scripts struct {
	acquire, put, swap, exchange, drop, scrub, purge, fail *redis.Script
}

// library holds the functions of all scripts. No script reads more of a key than it can use,
// because every client of redis can write a large value, or a value of another type.
//
// read returns the string at key, or an empty string. Its second result is true for junk: a string
// of more than most bytes, or another type. generation returns the purge generation at key, and 0
// for junk, for other text than a number, and for a number above most.
const library = `
local function read(key, most)
  local size = redis.pcall('STRLEN', key)
  if type(size) == 'table' then
    if string.find(size.err, 'WRONGTYPE', 1, true) then return '', true end
    redis.call('STRLEN', key)
  end
  if size > tonumber(most) then return '', true end
  return redis.call('GET', key) or '', false
end
local function generation(key, most)
  local text = read(key, 20)
  local number = string.match(text, '^%d+$') and tonumber(text) or 0
  if number > tonumber(most) then return 0 end
  return number
end
`

func newScripts() scripts {
	script := func(text string) *redis.Script { return redis.NewScript(library + text) }
	return scripts{
		// acquire: ARGV value, ttl in ms, longest value. Returns the existing entry, false after
		// storing ours, or 1 after replacing junk by ours. An empty value is junk too.
		acquire: script(`
local current, junk = read(KEYS[1], ARGV[3])
if current ~= '' then return current end
if junk then redis.call('UNLINK', KEYS[1]) end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
if junk then return 1 end
return false`),

		// put: ARGV generation, value, ttl in ms, news, channel, longest value, greatest
		// generation, end. It wakes waiters unless the former value contains news; every value
		// contains an empty news. Only a present entry replaces a present entry: the bucket holds
		// that copy, even if another copy failed. An error that contains end stays, unless end is empty.
		// Returns 1 if stored, 0 if it kept the former entry, -1 if the object was purged since the
		// generation.
		put: script(`
if generation(KEYS[2], ARGV[7]) > tonumber(ARGV[1]) then return -1 end
local current, junk = read(KEYS[1], ARGV[6])
if string.sub(ARGV[2], 1, 8) ~= 'present ' and string.sub(current, 1, 8) == 'present ' then return 0 end
if ARGV[8] ~= '' and string.sub(current, 1, 6) == 'error ' and string.find(current, ARGV[8], 1, true) then return 0 end
if junk then redis.call('UNLINK', KEYS[1]) end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
if string.sub(ARGV[2], 1, 8) == 'present ' then redis.call('UNLINK', KEYS[3]) end
if not string.find(current, ARGV[4], 1, true) then redis.call('PUBLISH', ARGV[5], KEYS[1]) end
return 1`),

		// swap: ARGV value, new value. Replaces the entry if it still has that value, and keeps its
		// ttl. Returns 1 if it did, 0 otherwise.
		swap: script(`
if read(KEYS[1], #ARGV[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'KEEPTTL')
return 1`),

		// exchange: ARGV value, new value, ttl in ms, longest value. Replaces the value, which is empty
		// if there is none or junk. Returns 1 if it did, 0 otherwise.
		exchange: script(`
local current, junk = read(KEYS[1], ARGV[4])
if current ~= ARGV[1] then return 0 end
if junk then redis.call('UNLINK', KEYS[1]) end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1`),

		// drop: ARGV value, channel. Deletes the entry if it still has that value. Returns 1 if it
		// did, 0 otherwise.
		drop: script(`
if read(KEYS[1], #ARGV[1]) ~= ARGV[1] then return 0 end
redis.call('UNLINK', KEYS[1])
redis.call('PUBLISH', ARGV[2], KEYS[1])
return 1`),

		// scrub: ARGV longest value, channel. Deletes the entry if it is junk. Returns 1 if it did,
		// 0 otherwise.
		scrub: script(`
local _, junk = read(KEYS[1], ARGV[1])
if not junk then return 0 end
redis.call('UNLINK', KEYS[1])
redis.call('PUBLISH', ARGV[2], KEYS[1])
return 1`),

		// purge: ARGV now in ms, ttl of the generation in ms, channel, greatest generation. Returns
		// the new generation, greater than all before it, and the number of replicas that are
		// online. A user that must not call INFO has 0 replicas.
		purge: script(`
local new = math.max(generation(KEYS[2], ARGV[4]) + 1, tonumber(ARGV[1]))
redis.call('UNLINK', KEYS[1], KEYS[2], KEYS[3])
redis.call('SET', KEYS[2], string.format('%.0f', new), 'PX', ARGV[2])
redis.call('PUBLISH', ARGV[3], KEYS[1])
local info, replicas = redis.pcall('INFO', 'replication'), 0
if type(info) == 'string' then replicas = select(2, string.gsub(info, 'state=online', '')) end
return string.format('%.0f %.0f', new, replicas)`),

		// fail: ARGV class, run, ttl in ms. Counts a failure, unless the last one was of the same
		// run. Returns the failures in a row, and those of this class at the row's end. A row that
		// it did not write restarts.
		fail: script(`
local fields = redis.pcall('HLEN', KEYS[3])
if type(fields) == 'table' then
  if not string.find(fields.err, 'WRONGTYPE', 1, true) then redis.call('HLEN', KEYS[3]) end
  fields = -1
end
local sound = fields == 0 or fields == 4
for _, name in ipairs({'run', 'class', 'all', 'same'}) do
  sound = sound and redis.call('HSTRLEN', KEYS[3], name) <= 256
end
if sound and fields == 4 then
  for _, name in ipairs({'all', 'same'}) do
    local count = redis.call('HGET', KEYS[3], name)
    sound = sound and count and #count <= 6 and string.match(count, '^%d+$')
  end
end
if not sound then redis.call('UNLINK', KEYS[3]) end
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
