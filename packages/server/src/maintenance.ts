/** What the server does by itself, once a minute: keeps ends that a crash left unwritten, ends what nobody will, drops what is too old. */
import type { Logger } from 'pino'
import type { Inputs } from './inputs/index.ts'
import type { Kept } from './jobs/delivery.ts'
import type { Queues, VideoQueue } from './queues.ts'
import type { KnownJob, Reader } from './reading/reader.ts'
import type { History } from './stores/history.ts'
import type { JobStates } from './stores/states.ts'
import type { End } from './transitions/end.ts'
import { isReady, type ReadyJob } from './transitions/line.ts'

const EVERY = 60_000

/** Open jobs looked at in one round. */
const BATCH = 1000

/** Milliseconds after which a record without a job in a queue is no request in progress any more. */
const UNQUEUED_AFTER = 30_000

/** The priority of a job that was forgotten: it has waited longer than it should. */
const HEAD = 1

/** Milliseconds after which a record of a server before 0.2, which does not say where its picture comes from, is given up. */
const ORPHAN_AFTER = 10 * 60_000

/** Virtual time starts anew past this, half of what BullMQ can count, once nothing waits. */
const TURNS_RESET_ABOVE = 1_000_000

export interface MaintenanceOptions {
  readonly queues: Queues
  readonly history: History
  readonly states: Pick<JobStates, 'now'>
  readonly reader: Reader
  readonly inputs: Pick<Inputs<ReadyJob>, 'begin'>
  readonly end: End
  /** How long BullMQ keeps ended jobs, and deliveries. */
  readonly kept: Kept
  readonly deliveriesKept: Kept
  readonly logger: Logger
}

export interface Maintenance {
  /** One round now. */
  run(): Promise<void>
  close(): void
}

export function startMaintenance(options: MaintenanceOptions): Maintenance {
  const { queues, history, states, reader, inputs, end, kept, deliveriesKept, logger } = options

  async function run(): Promise<void> {
    // Ends are kept before the queue is allowed to drop their jobs.
    const now = await states.now()
    const records = await Promise.all((await history.open({ limit: BATCH })).map(reader.record))
    const served = records.flatMap((record) => (record && queues.models.includes(record.model) ? [record] : []))
    // Whatever BullMQ has ended without an outcome gets one when it is read.
    for (const known of await reader.read(served))
      if (known && !known.entry.final && !known.live) await keep(known, now)
    for (const { queue } of queues.all) await clean(queue, kept)
    await clean(queues.deliveries, deliveriesKept)
    for (const { model, queue } of queues.all) {
      const { waiting, prioritized, delayed } = await queue.getJobCounts('waiting', 'prioritized', 'delayed')
      if ((waiting ?? 0) + (prioritized ?? 0) + (delayed ?? 0) === 0) await history.resetTurns(model, TURNS_RESET_ABOVE)
    }
    await history.sweep(now)
  }

  async function clean(queue: Pick<VideoQueue, 'clean'>, { removeOnComplete, removeOnFail }: Kept): Promise<void> {
    await queue.clean(removeOnComplete.age * 1000, BATCH, 'completed')
    await queue.clean(removeOnFail.age * 1000, BATCH, 'failed')
  }

  /** A server died between the record and the queue, or the queue lost the job. One whose pictures are being fetched is not changed by this. */
  async function keep(known: KnownJob, now: number): Promise<void> {
    const { record } = known.entry
    const age = now - record.created_at
    if (isReady(record)) {
      if (age >= UNQUEUED_AFTER && !(await history.isHeld(record))) await inputs.begin(record, HEAD)
      return
    }
    if (age < ORPHAN_AFTER) return
    logger.error({ job_id: record.job_id }, 'the queue does not know this job any more')
    const message =
      'The queue does not know this job any more: its data was lost, or it was never queued. Send it again.'
    await end.anyway('refuse', known, { status: 'failed', code: 'internal_error', message }, { nobodys: true })
  }

  async function runQuietly(): Promise<void> {
    await run().catch((error: unknown) =>
      logger.debug(
        { error: error instanceof Error ? error.message : error },
        'maintenance: the next round tries again',
      ),
    )
  }

  const timer = setInterval(() => void runQuietly(), EVERY)
  timer.unref()
  void runQuietly()
  return { run, close: () => clearInterval(timer) }
}
