/** The history in Redis: one hash a job, sorted sets for the lists. */
import type { Redis } from 'ioredis'
import type { Abilities } from '@kinora/protocol'
import type { HistoryEntry, JobRecord, LeaseRecord } from '../../jobs/record.ts'
import { type History, LEASE_KEPT, MAX_PLACE, type Room } from '../history.ts'
import { createRedisAdmission } from './admission.ts'
import { historyKeys } from './keys.ts'
import { createRunner } from './run.ts'
import { CLAIMED, REGISTER, RESET_TURNS, SET_FIELD } from './scripts.ts'
import { stateOf, type StoredFields } from './states.ts'

export interface RedisHistoryOptions {
  /** Stands before every key. */
  readonly prefix: string
  /** Seconds that ended jobs are kept. */
  readonly keepSeconds: number
}

const FIELDS = ['record', 'final', 'ended_at', 'webhook', 'report'] as const

type Fields = readonly [record: string | null, ...stored: StoredFields]

export function createRedisHistory(redis: Redis, { prefix, keepSeconds }: RedisHistoryOptions): History {
  const key = historyKeys(prefix)
  const run = createRunner(redis)

  async function readMany(jobIds: readonly string[]): Promise<HistoryEntry[]> {
    const found = await Promise.all(jobIds.map((id) => redis.hmget(key.job(id), ...FIELDS)))
    return found.flatMap((fields) => toEntry(fields as unknown as Fields) ?? [])
  }

  async function forget(jobId: string, tenant: string): Promise<void> {
    await redis
      .multi()
      .del(key.job(jobId))
      .zrem(key.list(tenant), jobId)
      .zrem(key.open(), jobId)
      .zrem(key.open(tenant), jobId)
      .zrem(key.ended(), jobId)
      .zrem(key.ended(tenant), jobId)
      .zrem(key.endings, jobId)
      .exec()
  }

  return {
    async register(record, room = { ofTenant: 0, inAll: 0 }) {
      const { job_id: id, tenant } = record
      const [created, priority, fields] = (await run(
        REGISTER,
        [key.job(id), key.list(tenant), key.open(), key.open(tenant), key.turns(record.model)],
        [id, tenant, record.created_at, JSON.stringify(record), MAX_PLACE, room.ofTenant, room.inAll],
      )) as [number | keyof Room, string, Fields]
      if (typeof created === 'string') return { noRoom: created }
      return { created: created === 1, priority: Number(priority), entry: toEntry(fields) ?? { record } }
    },

    async claimed(model, priority) {
      await run(CLAIMED, [key.turns(model)], [priority])
    },

    async resetTurns(model, above) {
      await run(RESET_TURNS, [key.turns(model)], [above])
    },

    async get(jobId) {
      return toEntry((await redis.hmget(key.job(jobId), ...FIELDS)) as unknown as Fields)
    },

    async list(tenant, { limit, after }) {
      // Jobs of one millisecond are ordered by id, as in the cursor: read a few more than asked for, and drop those before it.
      const entries: HistoryEntry[] = []
      let offset = 0
      while (entries.length < limit) {
        const ids = await redis.zrevrange(key.list(tenant), ...(await rangeFrom(after, offset, limit)))
        if (ids.length === 0) break
        offset += ids.length
        entries.push(...(await readMany(ids)).filter(({ record }) => !after || isAfter(record, after)))
      }
      return entries.slice(0, limit)

      async function rangeFrom(cursor: typeof after, skip: number, count: number): Promise<[number, number]> {
        // How many are newer than the cursor's millisecond.
        const newer = cursor ? await redis.zcount(key.list(tenant), `(${cursor.created_at}`, '+inf') : 0
        return [newer + skip, newer + skip + count]
      }
    },

    open: ({ tenant, limit }) => redis.zrange(key.open(tenant), 0, limit - 1),

    endedSince: (moment, { tenant, limit }) =>
      redis.zrangebyscore(key.ended(tenant), moment, '+inf', 'LIMIT', 0, limit),

    async setWebhook(jobId, state) {
      await run(SET_FIELD, [key.job(jobId)], ['webhook', JSON.stringify(state)])
    },

    async report(jobId, report) {
      await run(SET_FIELD, [key.job(jobId)], ['report', JSON.stringify(report)])
    },

    async remove(jobId) {
      const tenant = await redis.hget(key.job(jobId), 'tenant')
      if (tenant !== null) await forget(jobId, tenant)
    },

    ...createRedisAdmission(redis, { prefix, run }),

    async putLease(lease) {
      await redis.set(key.lease(lease.lease_id), JSON.stringify(lease), 'EX', LEASE_KEPT)
    },

    async getLease(leaseId) {
      const text = await redis.get(key.lease(leaseId))
      return text === null ? null : (JSON.parse(text) as LeaseRecord)
    },

    async sawWorker(model, moment) {
      await redis.hset(key.seen, model, moment)
    },

    async workersSeen() {
      return new Map(Object.entries(await redis.hgetall(key.seen)).map(([model, moment]) => [model, Number(moment)]))
    },

    async announce(model, abilities) {
      await redis.hset(key.abilities, model, JSON.stringify(abilities))
    },

    async announced() {
      const told = Object.entries(await redis.hgetall(key.abilities))
      return new Map(told.map(([model, text]) => [model, JSON.parse(text) as Abilities]))
    },

    async sweep(now) {
      for (;;) {
        const old = await redis.zrangebyscore(key.ended(), '-inf', now - keepSeconds * 1000, 'LIMIT', 0, 200)
        if (old.length === 0) return
        for (const jobId of old) {
          const tenant = await redis.hget(key.job(jobId), 'tenant')
          if (tenant === null) await redis.zrem(key.ended(), jobId)
          else await forget(jobId, tenant)
        }
      }
    },
  }
}

function isAfter(record: JobRecord, cursor: { created_at: number; job_id: string }): boolean {
  return (
    record.created_at < cursor.created_at || (record.created_at === cursor.created_at && record.job_id < cursor.job_id)
  )
}

function toEntry([record, ...stored]: Fields): HistoryEntry | null {
  return record === null ? null : { record: JSON.parse(record) as JobRecord, ...stateOf(stored) }
}
