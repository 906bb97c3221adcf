/** What the server does by itself, once a minute: keeps ends that a crash left unwritten, ends what nobody will, drops what is too old. */
import type { Logger } from 'pino'
import type { Inputs } from './inputs/index.ts'
import type { Queues } from './queues.ts'
import type { Reader } from './reading/reader.ts'
import type { History } from './stores/history.ts'
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
  readonly reader: Reader
  readonly inputs: Pick<Inputs<ReadyJob>, 'begin'>
  readonly end: End
  readonly retention: { readonly completed: number; readonly failed: number }
  readonly clock: () => number
  readonly logger: Logger
}

export interface Maintenance {
  /** One round now. */
  run(): Promise<void>
  close(): void
}

export function startMaintenance(options: MaintenanceOptions): Maintenance {
  const { queues, history, reader, inputs, end, retention, clock, logger } = options

  async function run(): Promise<void> {
    // Ends are kept before the queue is allowed to drop their jobs.
    for (const jobId of await history.open({ limit: BATCH })) await keep(jobId)
    for (const { queue } of queues.all) {
      await queue.clean(retention.completed * 1000, BATCH, 'completed')
      await queue.clean(retention.failed * 1000, BATCH, 'failed')
    }
    await queues.deliveries.clean(retention.completed * 1000, BATCH, 'completed')
    await queues.deliveries.clean(retention.failed * 1000, BATCH, 'failed')
    for (const { model, queue } of queues.all) {
      const { waiting, prioritized, delayed } = await queue.getJobCounts('waiting', 'prioritized', 'delayed')
      if ((waiting ?? 0) + (prioritized ?? 0) + (delayed ?? 0) === 0) await history.resetTurns(model, TURNS_RESET_ABOVE)
    }
    await history.sweep(clock())
  }

  async function keep(jobId: string): Promise<void> {
    const record = await reader.record(jobId)
    if (!record || !queues.models.includes(record.model)) return
    const live = await reader.live(record)
    if (!live) {
      const age = clock() - record.created_at
      if (isReady(record)) {
        // A server died between the record and the queue, or the queue lost it. One whose pictures are being fetched is not changed by this.
        if (age >= UNQUEUED_AFTER && !(await history.get(jobId))?.final) await inputs.begin(record, HEAD)
        return
      }
      if (age < ORPHAN_AFTER) return
      logger.error({ job_id: jobId }, 'the queue does not know this job any more')
      const now = clock()
      await history.finish(jobId, {
        job: {
          job_id: jobId,
          status: 'failed',
          error_message:
            'The queue does not know this job any more: its data was lost, or it was never queued. Send it again.',
          error_code: 'internal_error',
          created_at: new Date(record.created_at).toISOString(),
          completed_at: new Date(now).toISOString(),
          model: record.model,
          attempt: 0,
          ...record.settings,
        },
        finished_at: now,
      })
      return
    }
    if (live.state === 'waiting' && live.bull.data.canceled_at !== undefined) {
      await end.anyway('cancel', { model: live.queue, jobId }, { status: 'canceled' })
    }
    await reader.keepEnd(jobId)
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
