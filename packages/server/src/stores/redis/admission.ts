/** Whose turn it is to go into the line of workers, in Redis: what runs is a set, what waits one that is sorted by the moment of acceptance. */
import type { Redis } from 'ioredis'
import { ADMITTED_AT_ONCE, type Admitted, type History } from '../history.ts'
import { historyKeys } from './keys.ts'
import type { Run } from './run.ts'

/**
 * What has ended, in whatever way, is known by its absence among the open ones, and left out of the others when they are looked at.
 * KEYS: tenant's open, tenant's running, tenant's held, tenants with held ones. ARGV: at most, tenant, job id or empty, what stands before a job's key, how
 * many at once.
 */
const ADMIT = `
for _, id in ipairs(redis.call('SMEMBERS', KEYS[2])) do
  if not redis.call('ZSCORE', KEYS[1], id) then redis.call('SREM', KEYS[2], id) end
end
local admitted = {}
local function admit(id)
  admitted[#admitted + 1] = id
  admitted[#admitted + 1] = redis.call('HGET', ARGV[4] .. id, 'priority') or '1'
end
if ARGV[3] ~= '' then
  local accepted = redis.call('ZSCORE', KEYS[1], ARGV[3])
  if redis.call('SISMEMBER', KEYS[2], ARGV[3]) == 1 then admit(ARGV[3])
  elseif accepted then redis.call('ZADD', KEYS[3], accepted, ARGV[3]) end
end
local running, most = redis.call('SCARD', KEYS[2]), tonumber(ARGV[1])
while (most == 0 or running < most) and #admitted < 2 * tonumber(ARGV[5]) do
  local next = redis.call('ZPOPMIN', KEYS[3])[1]
  if not next then break end
  if redis.call('ZSCORE', KEYS[1], next) then
    redis.call('SADD', KEYS[2], next)
    running = running + 1
    admit(next)
  end
end
redis.call(redis.call('EXISTS', KEYS[3]) == 1 and 'SADD' or 'SREM', KEYS[4], ARGV[2])
return admitted
`

export function createRedisAdmission(
  redis: Redis,
  { prefix, run }: { readonly prefix: string; readonly run: Run },
): Pick<History, 'admit' | 'isHeld' | 'heldTenants'> {
  const key = historyKeys(prefix)
  return {
    async admit(tenant, atMost, jobId = '') {
      const flat = (await run(
        ADMIT,
        [key.open(tenant), key.running(tenant), key.held(tenant), key.heldTenants],
        [atMost, tenant, jobId, key.job(''), ADMITTED_AT_ONCE],
      )) as string[]
      const admitted: Admitted[] = []
      for (let at = 0; at < flat.length; at += 2) {
        admitted.push({ job_id: flat[at] ?? '', priority: Number(flat[at + 1]) })
      }
      return admitted
    },
    isHeld: async ({ tenant, job_id }) => (await redis.zscore(key.held(tenant), job_id)) !== null,
    heldTenants: () => redis.smembers(key.heldTenants),
  }
}
