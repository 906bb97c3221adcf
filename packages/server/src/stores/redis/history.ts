/** The history in Redis: one hash a job, sorted sets for the lists. */
import type { Redis } from 'ioredis'
import type { Abilities, WebhookState } from '@kinora/protocol'
import type { FinalSnapshot, HistoryEntry, JobRecord, LeaseRecord } from '../../jobs/record.ts'
import { type History, LEASE_KEPT, MAX_PLACE } from '../history.ts'
import { CLAIMED, FINISH, REGISTER, RESET_TURNS, SET_WEBHOOK } from './scripts.ts'

export interface RedisHistoryOptions {
  /** Stands before every key. */
  readonly prefix: string
  /** Seconds that ended jobs are kept. */
  readonly keepSeconds: number
}

type Fields = readonly [record: string | null, final: string | null, webhook: string | null]

export function createRedisHistory(redis: Redis, { prefix, keepSeconds }: RedisHistoryOptions): History {
  const key = {
    job: (jobId: string) => `${prefix}:job:${jobId}`,
    list: (tenant: string) => `${prefix}:jobs:${tenant}`,
    open: (tenant?: string) => (tenant === undefined ? `${prefix}:open` : `${prefix}:open:${tenant}`),
    ended: (tenant?: string) => (tenant === undefined ? `${prefix}:ended` : `${prefix}:ended:${tenant}`),
    turns: (model: string) => `${prefix}:turns:${model}`,
    lease: (leaseId: string) => `${prefix}:lease:${leaseId}`,
    seen: `${prefix}:worker-seen`,
    abilities: `${prefix}:abilities`,
  }
  const run = createRunner(redis)

  async function readMany(jobIds: readonly string[]): Promise<HistoryEntry[]> {
    const found = await Promise.all(jobIds.map((id) => redis.hmget(key.job(id), 'record', 'final', 'webhook')))
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
      .exec()
  }

  return {
    async register(record) {
      const { job_id: id, tenant } = record
      const [created, priority, fields] = (await run(
        REGISTER,
        [key.job(id), key.list(tenant), key.open(), key.open(tenant), key.turns(record.model)],
        [id, tenant, record.created_at, JSON.stringify(record), MAX_PLACE],
      )) as [number, string, Fields]
      return { created: created === 1, priority: Number(priority), entry: toEntry(fields) ?? { record } }
    },

    async claimed(model, priority) {
      await run(CLAIMED, [key.turns(model)], [priority])
    },

    async resetTurns(model, above) {
      await run(RESET_TURNS, [key.turns(model)], [above])
    },

    async get(jobId) {
      return toEntry((await redis.hmget(key.job(jobId), 'record', 'final', 'webhook')) as unknown as Fields)
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

    async finish(jobId, final) {
      const tenant = await redis.hget(key.job(jobId), 'tenant')
      if (tenant === null) return
      await run(
        FINISH,
        [key.job(jobId), key.open(), key.open(tenant), key.ended(), key.ended(tenant)],
        [jobId, JSON.stringify(final), final.finished_at],
      )
    },

    async setWebhook(jobId, state) {
      await run(SET_WEBHOOK, [key.job(jobId)], [JSON.stringify(state)])
    },

    async remove(jobId) {
      const tenant = await redis.hget(key.job(jobId), 'tenant')
      if (tenant !== null) await forget(jobId, tenant)
    },

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

/** Runs a script by its hash, and sends it whole where the server does not know it yet. */
function createRunner(redis: Redis) {
  const names = new Map<string, string>()
  return async (script: string, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> => {
    let sha = names.get(script)
    if (sha === undefined) {
      sha = (await redis.script('LOAD', script)) as string
      names.set(script, sha)
    }
    try {
      return await redis.evalsha(sha, keys.length, ...keys, ...args)
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error
      return redis.eval(script, keys.length, ...keys, ...args)
    }
  }
}

function isAfter(record: JobRecord, cursor: { created_at: number; job_id: string }): boolean {
  return (
    record.created_at < cursor.created_at || (record.created_at === cursor.created_at && record.job_id < cursor.job_id)
  )
}

function toEntry([record, final, webhook]: Fields): HistoryEntry | null {
  if (record === null) return null
  return {
    record: JSON.parse(record) as JobRecord,
    ...(final ? { final: JSON.parse(final) as FinalSnapshot } : {}),
    ...(webhook ? { webhook: JSON.parse(webhook) as WebhookState } : {}),
  }
}
