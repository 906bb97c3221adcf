/**
 * Streams of snapshots. The queue's events only wake the reader, for they can be lost: a job that somebody listens to is read when an event
 * names it, and every second and a half besides. There is one listener for each queue and process, however many subscribers there are.
 */
import { isFinal } from '@kinora/protocol'
import type { IQueueBackend, QueueEvents } from 'bullmq'
import type { Logger } from 'pino'
import type { Events } from '../core.ts'
import type { Snapshot } from '../jobs/request.ts'
import type { VideoResult } from '../jobs/video-job.ts'
import { CHANGED, type Queues } from '../queues.ts'
import type { Reader } from '../reading/reader.ts'
import type { History } from '../stores/history.ts'
import { reach } from '../stores/outage.ts'
import type { StoreConnection } from '../stores/store.ts'
import { createChannel, type Channel } from './channel.ts'

/** Milliseconds between two rounds of reading, and jobs read at a time. */
const ROUND_EVERY = 1500
const AT_ONCE = 32

/** Jobs that a tenant's stream begins with, and that may end between two rounds. */
const MAX_OPEN = 500

/** Milliseconds that clocks of several servers may differ. */
const CLOCKS_APART = 5000

/** Queued jobs whose change no event told are read in every so many rounds. */
const QUEUED_EVERY = 4

const WAKING = [
  'waiting',
  'active',
  'progress',
  'completed',
  'failed',
  'delayed',
  'stalled',
  'removed',
  CHANGED,
] as const

export interface EventsOptions {
  readonly queues: Queues
  readonly reader: Reader
  readonly history: History
  readonly clock: () => number
  readonly logger: Logger
}

export interface EventService extends Events {
  /** Subscribers of all kinds, for tests and metrics. */
  readonly subscribers: number
  close(): Promise<void>
}

/** Everybody who listens to one job. */
interface Watch {
  readonly jobId: string
  readonly channels: Set<Channel<Snapshot>>
  last: Snapshot | undefined
  reading: boolean
  /** An event came while it was being read. */
  again: boolean
}

/** One subscriber to all of a tenant's jobs. */
interface TenantWatch {
  readonly tenant: string
  readonly channel: Channel<Snapshot>
  /** What it has been told of each open job. */
  readonly told: Map<string, string>
  /** Up to when it knows what has ended. */
  since: number
}

export function createEvents({ queues, reader, history, clock, logger }: EventsOptions): EventService {
  const watches = new Map<string, Watch>()
  const tenants = new Set<TenantWatch>()
  let listeners: QueueEvents<VideoResult, IQueueBackend, StoreConnection>[] = []
  let timer: NodeJS.Timeout | undefined
  let inRound = false
  let round = 0
  let closed = false

  function start(): void {
    if (closed) return
    if (listeners.length === 0) {
      listeners = queues.all.map((model) => {
        const events = queues.listen(model)
        for (const name of WAKING) events.on(name as 'waiting', ({ jobId }: { jobId: string }) => wake(jobId))
        return events
      })
    }
    timer ??= setInterval(() => void runRound(), ROUND_EVERY)
  }

  function stopIfIdle(): void {
    if (watches.size > 0 || tenants.size > 0) return
    clearInterval(timer)
    timer = undefined
  }

  function wake(jobId: string): void {
    const watch = watches.get(jobId)
    if (watch) void readWatch(watch)
    if (tenants.size > 0) void tellTenants(jobId)
  }

  async function runRound(): Promise<void> {
    if (inRound) return
    inRound = true
    round++
    try {
      const due = [...watches.values()].filter(
        ({ last }) =>
          last === undefined || last.job.status !== 'queued' || round % QUEUED_EVERY === 0 || watches.size <= AT_ONCE,
      )
      await inParallel(due, AT_ONCE, readWatch)
      if (tenants.size > 0) await roundOfTenants()
    } catch (error) {
      logger.debug({ error: error instanceof Error ? error.message : error }, 'events: the next round tries again')
    } finally {
      inRound = false
    }
  }

  /** One read after the other for each job, so that no older snapshot follows a newer one. */
  async function readWatch(watch: Watch): Promise<void> {
    if (watch.reading) {
      watch.again = true
      return
    }
    watch.reading = true
    try {
      do {
        watch.again = false
        const snapshot = await reader.snapshot(watch.jobId)
        if (snapshot && watch.last?.revision === snapshot.revision) continue
        if (snapshot) watch.last = snapshot
        for (const channel of watch.channels) {
          if (snapshot) channel.push(snapshot)
          if (!snapshot || isFinal(snapshot.job.status)) channel.end()
        }
      } while (watch.again && watch.channels.size > 0)
    } catch (error) {
      logger.debug(
        { job_id: watch.jobId, error: error instanceof Error ? error.message : error },
        'events: read again soon',
      )
    } finally {
      watch.reading = false
    }
  }

  async function tellTenants(jobId: string): Promise<void> {
    try {
      const record = await reader.record(jobId)
      const mine = [...tenants].filter(({ tenant }) => tenant === record?.tenant)
      if (mine.length === 0) return
      const snapshot = await reader.snapshot(jobId)
      if (snapshot) for (const watch of mine) tell(watch, snapshot)
    } catch (error) {
      logger.debug({ job_id: jobId, error: error instanceof Error ? error.message : error }, 'events: read again soon')
    }
  }

  function tell(watch: TenantWatch, snapshot: Snapshot): void {
    const { job_id: jobId, status } = snapshot.job
    if (watch.told.get(jobId) === snapshot.revision) return
    watch.told.delete(jobId)
    watch.told.set(jobId, snapshot.revision)
    // Ended jobs are remembered for a while, lest the next round tell them again.
    if (isFinal(status) && watch.told.size > 10 * MAX_OPEN) {
      for (const oldest of watch.told.keys()) {
        watch.told.delete(oldest)
        break
      }
    }
    watch.channel.push({ job: snapshot.job, revision: formatPlace(watch.since, snapshot) })
  }

  /** What events may have missed: jobs that are worked on, and those that ended. */
  async function roundOfTenants(): Promise<void> {
    const now = clock()
    const active = await reach(() => Promise.all(queues.all.map(({ queue }) => queue.getActive(0, MAX_OPEN - 1))))
    const activeIds = new Map<string, string[]>()
    for (const job of active.flat()) {
      if (job?.id === undefined) continue
      activeIds.set(job.data.tenant, [...(activeIds.get(job.data.tenant) ?? []), job.id])
    }
    await inParallel([...tenants], AT_ONCE, async (watch) => {
      const ended = await reach(() =>
        history.endedSince(watch.since - CLOCKS_APART, { tenant: watch.tenant, limit: MAX_OPEN }),
      )
      for (const jobId of new Set([...(activeIds.get(watch.tenant) ?? []), ...ended])) {
        const snapshot = await reader.snapshot(jobId)
        if (snapshot) tell(watch, snapshot)
      }
      if (ended.length < MAX_OPEN) watch.since = now
    })
  }

  return {
    get subscribers() {
      return tenants.size + [...watches.values()].reduce((sum, { channels }) => sum + channels.size, 0)
    },

    async *job(tenant, jobId, { lastEventId, signal } = {}) {
      await reader.entry(jobId, tenant)
      if (closed || signal?.aborted) return
      const channel = createChannel<Snapshot>(signal)
      let watch = watches.get(jobId)
      if (!watch) {
        watch = { jobId, channels: new Set(), last: undefined, reading: false, again: false }
        watches.set(jobId, watch)
      }
      watch.channels.add(channel)
      start()
      try {
        // Read after subscribing: what changes from here on comes through the channel.
        const first = await reader.snapshot(jobId)
        if (!first) return
        let last = lastEventId
        if (first.revision !== last) {
          last = first.revision
          yield first
        }
        if (isFinal(first.job.status)) return
        watch.last ??= first
        for await (const snapshot of channel) {
          if (snapshot.revision === last) continue
          last = snapshot.revision
          yield snapshot
          if (isFinal(snapshot.job.status)) return
        }
      } finally {
        channel.end()
        watch.channels.delete(channel)
        if (watch.channels.size === 0) watches.delete(jobId)
        stopIfIdle()
      }
    },

    async *all(tenant, { lastEventId, signal } = {}) {
      if (closed || signal?.aborted) return
      const now = clock()
      const since = parsePlace(lastEventId)
      const channel = createChannel<Snapshot>(signal)
      const watch: TenantWatch = { tenant, channel, told: new Map(), since: since ?? now }
      tenants.add(watch)
      start()
      try {
        const [open, ended] = await reach(() =>
          Promise.all([
            history.open({ tenant, limit: MAX_OPEN }),
            since === undefined
              ? Promise.resolve([])
              : history.endedSince(since - CLOCKS_APART, { tenant, limit: MAX_OPEN }),
          ]),
        )
        for (const jobId of [...ended, ...open]) {
          const snapshot = await reader.snapshot(jobId)
          if (snapshot) tell(watch, snapshot)
        }
        watch.since = now
        yield* channel
      } finally {
        channel.end()
        tenants.delete(watch)
        stopIfIdle()
      }
    },

    async close() {
      closed = true
      clearInterval(timer)
      timer = undefined
      for (const { channels } of watches.values()) for (const channel of channels) channel.end()
      for (const { channel } of tenants) channel.end()
      await Promise.allSettled(listeners.map((listener) => listener.close()))
    },
  }
}

/** The id in a tenant's stream: up to when everything has been told, and the job's revision. */
function formatPlace(since: number, { revision }: Snapshot): string {
  return `${since.toString(36)}.${revision}`
}

function parsePlace(lastEventId: string | undefined): number | undefined {
  const [, since] = /^([0-9a-z]{1,11})\.[\w-]+$/.exec(lastEventId ?? '') ?? []
  return since === undefined ? undefined : Number.parseInt(since, 36)
}

async function inParallel<T>(items: readonly T[], width: number, work: (item: T) => Promise<void>): Promise<void> {
  const rest = items.values()
  await Promise.all(
    Array.from({ length: Math.min(width, items.length) }, async () => {
      for (const item of rest) await work(item)
    }),
  )
}
