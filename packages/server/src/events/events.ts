/**
 * Streams of snapshots. The queue's events only wake the reader, for they can be lost: a job that somebody listens to is read when an event
 * names it, and every second and a half besides. There is one listener for each queue and process, however many subscribers there are.
 */
import { isFinal, type JobStatus } from '@kinora/protocol'
import type { IQueueBackend, QueueEvents } from 'bullmq'
import type { Logger } from 'pino'
import type { Events } from '../core.ts'
import type { Snapshot } from '../jobs/request.ts'
import type { VideoResult } from '../jobs/video-job.ts'
import type { Queues } from '../queues.ts'
import { remember } from '../remember.ts'
import { notFound, type Reader, type TenantSnapshot } from '../reading/reader.ts'
import type { History } from '../stores/history.ts'
import { reach } from '../stores/outage.ts'
import { CHANGED, type JobStates } from '../stores/states.ts'
import type { StoreConnection } from '../stores/store.ts'
import { createChannel, type Channel } from './channel.ts'
import { createReads } from './reads.ts'

/** Milliseconds between two rounds of reading. */
const ROUND_EVERY = 1500

/** Jobs that a tenant's stream begins with, and that may end between two rounds. */
const MAX_OPEN = 500

/** Milliseconds that an ending may become visible after the moment that the store gave it: a statement takes no longer. */
const LATE = 5000

/** Queued jobs whose change no event told are read in every so many rounds, unless there are few. */
const QUEUED_EVERY = 4
const FEW = 32

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
  readonly queues: Pick<Queues, 'all' | 'listen'>
  readonly reader: Pick<Reader, 'record' | 'snapshots'>
  readonly history: Pick<History, 'open' | 'endedSince'>
  readonly states: Pick<JobStates, 'now'>
  readonly logger: Pick<Logger, 'debug'>
}

export interface EventService extends Events {
  /** Subscribers of all kinds, for tests and metrics. */
  readonly subscribers: number
  close(): Promise<void>
}

/** Everybody who listens to one job. */
interface Watch {
  readonly listeners: Set<Listener>
  status: JobStatus | undefined
}

interface Listener {
  readonly channel: Channel<Snapshot>
  /** The revision it was told last. */
  told: string | undefined
}

/** One subscriber to all of a tenant's jobs. */
interface TenantWatch {
  readonly tenant: string
  readonly channel: Channel<Snapshot>
  /** What it has been told of each open job. */
  readonly told: Map<string, string>
  /** Up to when it knows what has ended, by the store's clock. */
  since: number
}

export function createEvents({ queues, reader, history, states, logger }: EventsOptions): EventService {
  const watches = new Map<string, Watch>()
  const tenants = new Set<TenantWatch>()
  const reads = createReads(reader, tell)
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
        for (const name of WAKING) events.on(name as 'waiting', (event: WakingEvent) => idsOf(event).forEach(wake))
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
    readWanted(jobId).catch((error: unknown) =>
      logger.debug({ job_id: jobId, error: error instanceof Error ? error.message : error }, 'events: read again soon'),
    )
  }

  async function readWanted(jobId: string): Promise<void> {
    if (watches.has(jobId) || (await isTenantListening(jobId))) await reads.look(jobId)
  }

  async function isTenantListening(jobId: string): Promise<boolean> {
    if (tenants.size === 0) return false
    const record = await reader.record(jobId)
    return [...tenants].some(({ tenant }) => tenant === record?.tenant)
  }

  function tell(jobId: string, snapshot: TenantSnapshot | null): void {
    const watch = watches.get(jobId)
    if (watch) tellListeners(watch, snapshot)
    if (!snapshot) return
    for (const one of tenants) if (one.tenant === snapshot.tenant) tellTenant(one, snapshot)
  }

  function tellListeners(watch: Watch, snapshot: TenantSnapshot | null): void {
    watch.status = snapshot?.job.status
    for (const listener of watch.listeners) {
      if (snapshot && listener.told !== snapshot.revision) {
        listener.told = snapshot.revision
        listener.channel.push({ revision: snapshot.revision, job: snapshot.job })
      }
      if (!snapshot || isFinal(snapshot.job.status)) listener.channel.end()
    }
  }

  function tellTenant(watch: TenantWatch, snapshot: Snapshot): void {
    const { job_id: jobId, status } = snapshot.job
    if (watch.told.get(jobId) === snapshot.revision) return
    // Ended jobs are remembered for a while, lest the next round tell them again; open ones are never too many.
    remember(watch.told, jobId, snapshot.revision, isFinal(status) ? 10 * MAX_OPEN : Infinity)
    watch.channel.push({ job: snapshot.job, revision: formatPlace(watch.since, snapshot) })
  }

  async function runRound(): Promise<void> {
    if (inRound) return
    inRound = true
    round++
    try {
      const all = watches.size <= FEW || round % QUEUED_EVERY === 0
      const due = [...watches].filter(([, { status }]) => all || status !== 'queued').map(([jobId]) => jobId)
      await Promise.all([...due.map(reads.look), ...(tenants.size > 0 ? [roundOfTenants()] : [])])
    } catch (error) {
      logger.debug({ error: error instanceof Error ? error.message : error }, 'events: the next round tries again')
    } finally {
      inRound = false
    }
  }

  /** What events may have missed: jobs that are worked on, and those that ended. */
  async function roundOfTenants(): Promise<void> {
    const now = await reach(states.now)
    const active = await reach(() =>
      Promise.all(queues.all.map(({ queue }) => queue.getRanges(['active'], 0, MAX_OPEN - 1))),
    )
    await Promise.all(active.flat().map(readWanted))
    await Promise.all(
      [...tenants].map(async (watch) => {
        const ended = await endedSince(watch.tenant, watch.since)
        await Promise.all(ended.map(reads.look))
        if (ended.length < MAX_OPEN) watch.since = now
      }),
    )
  }

  function endedSince(tenant: string, moment: number): Promise<string[]> {
    return reach(() => history.endedSince(moment - LATE, { tenant, limit: MAX_OPEN }))
  }

  return {
    get subscribers() {
      return tenants.size + [...watches.values()].reduce((sum, watch) => sum + watch.listeners.size, 0)
    },

    async *job(tenant, jobId, { lastEventId, signal } = {}) {
      const record = await reader.record(jobId)
      if (record?.tenant !== tenant) throw notFound()
      if (closed || signal?.aborted) return
      const listener: Listener = { channel: createChannel<Snapshot>(signal), told: lastEventId }
      const watch = watches.get(jobId) ?? { listeners: new Set(), status: undefined }
      watches.set(jobId, watch)
      watch.listeners.add(listener)
      start()
      try {
        // Read after subscribing: this read and all that follow come through the channel.
        await reads.look(jobId)
        yield* listener.channel
      } finally {
        listener.channel.end()
        watch.listeners.delete(listener)
        if (watch.listeners.size === 0 && watches.get(jobId) === watch) watches.delete(jobId)
        stopIfIdle()
      }
    },

    async *all(tenant, { lastEventId, signal } = {}) {
      if (closed || signal?.aborted) return
      const now = await reach(states.now)
      const since = parsePlace(lastEventId)
      const channel = createChannel<Snapshot>(signal)
      const watch: TenantWatch = { tenant, channel, told: new Map(), since: since ?? now }
      tenants.add(watch)
      start()
      try {
        const [open, ended] = await Promise.all([
          reach(() => history.open({ tenant, limit: MAX_OPEN })),
          since === undefined ? [] : endedSince(tenant, since),
        ])
        await Promise.all([...ended, ...open].map(reads.look))
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
      for (const watch of watches.values()) for (const { channel } of watch.listeners) channel.end()
      for (const { channel } of tenants) channel.end()
      await Promise.allSettled(listeners.map((listener) => listener.close()))
    },
  }
}

/** BullMQ's own events name one job; ours name several, as a JSON array. */
interface WakingEvent {
  readonly jobId?: string
  readonly jobIds?: string
}

function idsOf({ jobId, jobIds }: WakingEvent): readonly string[] {
  if (jobIds !== undefined) return JSON.parse(jobIds) as string[]
  return jobId === undefined ? [] : [jobId]
}

/** The id in a tenant's stream: up to when everything has been told, and the job's revision. */
function formatPlace(since: number, { revision }: Snapshot): string {
  return `${since.toString(36)}.${revision}`
}

function parsePlace(lastEventId: string | undefined): number | undefined {
  const [, since] = /^([0-9a-z]{1,11})\.[\w-]+$/.exec(lastEventId ?? '') ?? []
  return since === undefined ? undefined : Number.parseInt(since, 36)
}
