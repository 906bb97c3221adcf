/** The steps over a job's record and BullMQ's job, as Lua scripts. Names of BullMQ's fields: progress, atm (failures), stc (dead leases), finishedOn. */

/** What BullMQ has of a job: {token, progress, atm, stc, finishedOn, returnvalue, failedReason}, or false. */
const LIVE = `
local function live(job, lock)
  local fields = redis.call('HMGET', job, 'timestamp', 'progress', 'atm', 'stc', 'finishedOn')
  if not fields[1] then return false end
  local ends = fields[5] and redis.call('HMGET', job, 'returnvalue', 'failedReason') or {false, false}
  return {redis.call('GET', lock), fields[2], fields[3], fields[4], fields[5], ends[1], ends[2]}
end
`

const NOW = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
`

/** A whole number as a text, whatever its size. */
const TEXT = `local function text(number) return string.format('%.0f', number) end`

/** KEYS: three for each job: record, BullMQ's job, its lock. */
export const READ = `${LIVE}
local found = {}
for at = 1, #KEYS, 3 do
  local fields = redis.call('HMGET', KEYS[at], 'tenant', 'final', 'ended_at', 'webhook', 'report')
  if not fields[1] then found[#found + 1] = false
  else
    fields[6] = not fields[2] and live(KEYS[at + 1], KEYS[at + 2]) or false
    found[#found + 1] = fields
  end
end
return found
`

/** KEYS: two for each job: BullMQ's job, its lock. */
export const READ_LIVE = `${LIVE}
local found = {}
for at = 1, #KEYS, 2 do found[#found + 1] = live(KEYS[at], KEYS[at + 1]) end
return found
`

/**
 * KEYS: record, open, tenant's open, ended, tenant's ended, endings, the job's lock in BullMQ, its queue's events.
 * ARGV: job id, final, the event's name, then, where it has to be a certain one, the holder, empty for nobody.
 */
export const DECIDE = `${NOW}${TEXT}
local record = redis.call('HMGET', KEYS[1], 'tenant', 'final', 'ended_at')
if not record[1] then return {'gone'} end
local holder = redis.call('GET', KEYS[7])
if record[2] then return {'ended', record[2], record[3], holder} end
if ARGV[4] and (holder or '') ~= ARGV[4] then return {'refused'} end
redis.call('HSET', KEYS[1], 'final', ARGV[2], 'ended_at', text(now))
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('ZADD', KEYS[4], text(now), ARGV[1])
redis.call('ZADD', KEYS[5], text(now), ARGV[1])
redis.call('ZADD', KEYS[6], text(now), ARGV[1])
redis.call('XADD', KEYS[8], 'MAXLEN', '~', 10000, '*', 'event', ARGV[3], 'jobIds', cjson.encode({ARGV[1]}))
return {'decided', text(now), holder}
`

/**
 * KEYS: record, turns, lease, BullMQ's job, its lock, its queue's events.
 * ARGV: job id, token, progress, lease's record, seconds that is kept, priority, the event's name, milliseconds that the lock lives.
 */
export const TAKE = `
local record = redis.call('HMGET', KEYS[1], 'tenant', 'final')
if not record[1] or record[2] or redis.call('GET', KEYS[5]) ~= ARGV[2] then return 0 end
redis.call('PEXPIRE', KEYS[5], ARGV[8])
redis.call('HSET', KEYS[4], 'progress', ARGV[3])
redis.call('SET', KEYS[3], ARGV[4], 'EX', ARGV[5])
local claimed = tonumber(redis.call('HGET', KEYS[2], 'claimed') or '0')
if tonumber(ARGV[6]) > claimed then redis.call('HSET', KEYS[2], 'claimed', ARGV[6]) end
redis.call('XADD', KEYS[6], 'MAXLEN', '~', 10000, '*', 'event', ARGV[7], 'jobIds', cjson.encode({ARGV[1]}))
return 1
`

/**
 * KEYS: events, then two for each job: BullMQ's job, its lock. ARGV: milliseconds, the event's name, then three for each: job id, token, progress,
 * which is empty where what was said before stays.
 * The stalled check looks at the lock before it takes a job, so nothing else has to be told.
 */
export const BEAT = `
local kept, ids = {}, {}
for beat = 1, (#KEYS - 1) / 2 do
  local job, lock, id = KEYS[2 * beat], KEYS[2 * beat + 1], ARGV[3 * beat]
  if redis.call('GET', lock) == ARGV[3 * beat + 1] then
    redis.call('PEXPIRE', lock, ARGV[1])
    local progress = ARGV[3 * beat + 2]
    if progress == '' then
      progress = string.gsub(redis.call('HGET', job, 'progress') or '', '"spoke":false', '"spoke":true', 1)
    end
    redis.call('HSET', job, 'progress', progress)
    ids[#ids + 1] = id
    kept[beat] = 1
  else
    kept[beat] = 0
  end
end
if #ids > 0 then
  redis.call('XADD', KEYS[1], 'MAXLEN', '~', 10000, '*', 'event', ARGV[2], 'jobIds', cjson.encode(ids))
end
return kept
`

/** KEYS: endings. ARGV: milliseconds, limit. */
export const UNFOLLOWED = `${NOW}${TEXT}
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', text(now - ARGV[1]), 'LIMIT', 0, ARGV[2])
`
