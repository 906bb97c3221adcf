/** The history's steps that must be one: each is a Lua script that Redis runs whole. */

/**
 * KEYS: job, tenant's list, open, tenant's open, turns. ARGV: job id, tenant, created_at, record, highest place, open ones of the tenant at most, and in all;
 * 0 for any number.
 */
export const REGISTER = `
if redis.call('EXISTS', KEYS[1]) == 1 then
  return {0, redis.call('HGET', KEYS[1], 'priority'),
    redis.call('HMGET', KEYS[1], 'record', 'final', 'ended_at', 'webhook', 'report')}
end
local of_tenant, in_all = tonumber(ARGV[6]), tonumber(ARGV[7])
if of_tenant > 0 and redis.call('ZCARD', KEYS[4]) >= of_tenant then return {'ofTenant'} end
if in_all > 0 and redis.call('ZCARD', KEYS[3]) >= in_all then return {'inAll'} end
local claimed = tonumber(redis.call('HGET', KEYS[5], 'claimed') or '0')
local field = 'of:' .. ARGV[2]
local last = tonumber(redis.call('HGET', KEYS[5], field) or '0')
local place = math.min(math.max(claimed, last) + 1, tonumber(ARGV[5]))
redis.call('HSET', KEYS[5], field, place)
redis.call('HSET', KEYS[1], 'record', ARGV[4], 'tenant', ARGV[2], 'priority', place)
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[1])
redis.call('ZADD', KEYS[3], ARGV[3], ARGV[1])
redis.call('ZADD', KEYS[4], ARGV[3], ARGV[1])
return {1, tostring(place), {ARGV[4], false, false, false, false}}
`

/** KEYS: turns. ARGV: place. */
export const CLAIMED = `
local claimed = tonumber(redis.call('HGET', KEYS[1], 'claimed') or '0')
if tonumber(ARGV[1]) > claimed then redis.call('HSET', KEYS[1], 'claimed', ARGV[1]) end
`

/** KEYS: turns. ARGV: above. */
export const RESET_TURNS = `
if tonumber(redis.call('HGET', KEYS[1], 'claimed') or '0') > tonumber(ARGV[1]) then redis.call('DEL', KEYS[1]) end
`

/** KEYS: job. ARGV: field, value. A record that has been removed does not come back. */
export const SET_FIELD = `
if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) end
`
