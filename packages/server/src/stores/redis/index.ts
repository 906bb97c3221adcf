/** The store on Redis 6.2 or newer, or Valkey: any number of processes share it. */
import type { Redis, RedisOptions as IoredisOptions } from 'ioredis'
import { createRedisBackend } from 'bullmq'
import { isMissing, missing } from '../missing.ts'
import { pingWithin } from '../ping.ts'
import { type HistoryDriver, type StoreContext, type StoreDriver, StoreError } from '../store.ts'
import { createRedisCounters } from './counter.ts'
import { createRedisHistory } from './history.ts'
import { createRedisLive, createRedisStates } from './states.ts'

export interface RedisOptions {
  /** `redis://user:password@host:6379/0`, or `rediss://` for TLS. */
  readonly url: string
  /** Stands before the history's keys. BullMQ's keep their own, `bull`. Default `kinora`. */
  readonly prefix?: string
  /** Seconds that ended jobs are kept in lists and answered. Default: the longer of the two retentions. */
  readonly keepSeconds?: number
  /** Keeps the history elsewhere: `postgresHistory({ url })`. Default: in Redis. */
  readonly history?: HistoryDriver
}

/**
 * A store on Redis. Needs the package `ioredis`. Run Redis with `--appendonly yes` and `maxmemory-policy noeviction`.
 *
 * @example
 * createKinora({ store: redis({ url: process.env.REDIS_URL }), … })
 */
export function redis(options: RedisOptions): StoreDriver {
  return {
    name: 'redis',
    async open(context) {
      const { commands, waiting } = await connect(options.url, context)
      const elsewhere = await options.history?.open(context).catch((error: unknown) => {
        commands.disconnect()
        waiting.disconnect()
        throw error
      })
      const { prefix = 'kinora' } = options
      const history =
        elsewhere?.history ??
        createRedisHistory(commands, {
          prefix,
          keepSeconds: options.keepSeconds ?? Math.max(context.retention.completed, context.retention.failed),
        })
      let closing: Promise<void> | undefined
      return {
        name: 'redis',
        // Whoever waits for jobs or events needs a connection without limits on time; everything else must fail fast.
        backend: (name, opts, kind = {}) =>
          createRedisBackend(
            name,
            {
              ...opts,
              connection: kind.blocking || kind.withBlockingConnection ? waiting : commands,
              // Not `skipVersionCheck`: BullMQ then takes Redis for 5.0 and reads whole lists to learn the state of one job.
              skipWaitingForReady: true,
            },
            kind,
          ),
        history,
        states: elsewhere?.statesOver(createRedisLive(commands)) ?? createRedisStates(commands, { prefix }),
        counter: createRedisCounters(commands, prefix),
        async ping() {
          await pingWithin(2000, 'redis', () => commands.ping())
          await elsewhere?.ping()
        },
        close() {
          closing ??= (async () => {
            await elsewhere?.close()
            commands.disconnect()
            waiting.disconnect()
          })()
          return closing
        },
      }
    },
  }
}

async function connect(url: string, { logger }: StoreContext): Promise<{ commands: Redis; waiting: Redis }> {
  const { Redis: Client } = await import('ioredis').catch((cause: unknown) => {
    throw isMissing(cause) ? missing('The Redis queue', 'ioredis', cause) : cause
  })
  const shared: IoredisOptions = {
    lazyConnect: true,
    connectTimeout: 1500,
    // Railway's older networks answer over IPv6 only.
    family: 0,
    retryStrategy: (times) => Math.min(50 * 2 ** times, 1000),
  }
  const commands = new Client(url, {
    ...shared,
    // A command that cannot be sent now is refused now: one that waited in a queue would be done after its caller was told it failed.
    enableOfflineQueue: false,
    maxRetriesPerRequest: 1,
    commandTimeout: 2000,
  })
  const waiting = new Client(url, { ...shared, maxRetriesPerRequest: null })
  for (const client of [commands, waiting]) {
    client.setMaxListeners(0)
    client.on('error', (error) => logger.debug({ error: error.message }, 'a connection to Redis ended'))
  }
  try {
    await Promise.all([commands.connect(), waiting.connect()])
    await checkServer(commands, logger)
    return { commands, waiting }
  } catch (cause) {
    commands.disconnect()
    waiting.disconnect()
    if (cause instanceof StoreError) throw cause
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new StoreError(
      'unreachable',
      `Redis at ${address(url)} cannot be used: ${reason}. Check REDIS_URL and that the server runs.`,
      { cause },
    )
  }
}

/** BullMQ needs Redis 5 and works best from 6.2 on; a Redis that evicts keys loses jobs. */
async function checkServer(client: Redis, logger: StoreContext['logger']): Promise<void> {
  const info = await client.info()
  const version = /^redis_version:(\S+)/m.exec(info)?.[1]
  if (version !== undefined && Number(version.split('.')[0]) < 6) {
    throw new StoreError('unsupported', `Redis is version ${version}; Kinora needs 6.2 or newer, or Valkey.`)
  }
  const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1]
  if (policy !== undefined && policy !== 'noeviction') {
    logger.warn(
      { policy },
      'Redis may evict keys when memory is short, and jobs with them: set maxmemory-policy noeviction',
    )
  }
}

/** Without user and password. */
function address(url: string): string {
  return URL.canParse(url) ? new URL(url).host : 'the given URL'
}
