/** Sends webhooks. A delivery is an ordinary BullMQ job, added when the job it is about has ended; each attempt sends the same signed message. */
import { type IQueueBackend, type Job as BullJob, UnrecoverableError, type Worker } from 'bullmq'
import { parseRetryAfter, WEBHOOK_HEADERS, signWebhook, webhookPayload, type WebhookState } from '@kinora/protocol'
import type { Logger } from 'pino'
import { DELIVERY_QUEUE, type DeliveryData } from '../jobs/delivery.ts'
import { hasEnded } from '../jobs/view.ts'
import { FetchError, type GuardedFetch } from '../net/index.ts'
import type { Queues } from '../queues.ts'
import { ifThere, type Reader } from '../reading/reader.ts'
import type { History } from '../stores/history.ts'
import type { StoreConnection } from '../stores/store.ts'
import { nextDelay } from './schedule.ts'
import type { Secrets } from './secrets.ts'

/** Milliseconds one attempt may take, and messages sent at a time by this process. */
const ATTEMPT_TIMEOUT = 20_000
const AT_ONCE = 50

/** Milliseconds that attempts in flight are given when the server closes. */
const CLOSE_WITHIN = 5000

export interface DeliveriesOptions {
  readonly queues: Queues
  readonly reader: Reader
  readonly history: History
  readonly secrets: Secrets
  readonly fetch: GuardedFetch
  readonly schedule: readonly number[]
  readonly logger: Logger
  readonly clock: () => number
}

export interface Deliveries {
  close(): Promise<void>
}

type DeliveryJob = BullJob<DeliveryData, unknown>

/** An attempt that failed and may be made again. */
class AttemptError extends Error {
  override readonly name = 'AttemptError'
  /** Milliseconds the receiver asked for. */
  readonly retryAfter: number

  constructor(message: string, retryAfter = 0) {
    super(message)
    this.retryAfter = retryAfter
  }
}

export async function startDeliveries(options: DeliveriesOptions): Promise<Deliveries> {
  const { queues, reader, history, secrets, fetch, schedule, logger, clock } = options

  async function attempt(job: DeliveryJob): Promise<void> {
    const { job_id: jobId, tenant, url } = job.data
    const body = job.data.body ?? (await freeze(job))
    // The job was deleted: there is nobody to tell, and nothing to tell about.
    if (body === null || !(await history.get(jobId))) return
    try {
      await send(`msg_${jobId}`, tenant, url, body)
    } catch (error) {
      const given = error instanceof Error ? error : new Error(String(error))
      const last = error instanceof UnrecoverableError || job.attemptsMade + 1 >= (job.opts.attempts ?? 1)
      await note(jobId, {
        status: last ? 'failed' : 'pending',
        attempts: job.attemptsMade + 1,
        last_error: given.message,
      })
      logger.info(
        { job_id: jobId, attempt: job.attemptsMade + 1, error: given.message, last },
        'a webhook was not delivered',
      )
      throw given
    }
    await note(jobId, { status: 'delivered', attempts: job.attemptsMade + 1 })
  }

  /** The message as it is sent from now on, with the URLs signed now. */
  async function freeze(job: DeliveryJob): Promise<string | null> {
    const known = await ifThere(reader.known(job.data.job_id))
    if (!known) return null
    const { webhook: _, ...wire } = await reader.present(known)
    if (!hasEnded(wire)) throw new AttemptError('the job has not ended yet')
    const body = JSON.stringify(webhookPayload(wire, new Date(clock()).toISOString()))
    await job.updateData({ ...job.data, body })
    return body
  }

  async function send(id: string, tenant: string, url: string, body: string): Promise<void> {
    const timestamp = new Date(clock())
    const sent = secrets.sentTo(tenant)
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(await signWebhook({ id, timestamp, body, secrets: [secrets.of(tenant)] })),
        ...(sent === undefined ? {} : { [WEBHOOK_HEADERS.secret]: sent }),
      },
      body,
      maxRedirects: 0,
      timeout: ATTEMPT_TIMEOUT,
      ignoreBody: true,
    }).catch((error: unknown) => {
      if (!(error instanceof FetchError)) throw error
      const never = error.code === 'forbidden_address' || error.code === 'invalid_url'
      throw never ? new UnrecoverableError(error.message) : new AttemptError(error.message)
    })
    if (response.ok) return
    if (response.status === 410) throw new UnrecoverableError('HTTP 410: the receiver wants no more of it')
    const redirect = response.status >= 300 && response.status < 400 ? ': redirects are not followed' : ''
    throw new AttemptError(
      `HTTP ${response.status}${redirect}`,
      parseRetryAfter(response.headers.get('retry-after'), timestamp.getTime()),
    )
  }

  async function note(jobId: string, state: WebhookState): Promise<void> {
    const last_attempt_at = new Date(clock()).toISOString()
    await history
      .setWebhook(jobId, { ...state, last_attempt_at })
      .catch((error: unknown) => logger.warn({ job_id: jobId, error }, 'how the delivery went could not be kept'))
  }

  const worker: Worker<DeliveryData, unknown, string, IQueueBackend, number, StoreConnection> =
    new queues.bullmq.Worker<DeliveryData, unknown, string, number>(DELIVERY_QUEUE, attempt, {
      connection: queues.connection,
      concurrency: AT_ONCE,
      lockDuration: 3 * ATTEMPT_TIMEOUT,
      stalledInterval: 5000,
      maxStalledCount: 1000,
      runRetryDelay: 1000,
      settings: {
        backoffStrategy: (made, _type, error) =>
          nextDelay(made, { schedule, retryAfter: error instanceof AttemptError ? error.retryAfter : 0 }),
      },
    })
  worker.on('error', (error) => logger.debug({ error: error.message }, 'deliveries'))
  await worker.waitUntilReady()

  return {
    async close() {
      const closing = worker.close()
      const expired = Symbol('expired')
      const first = await Promise.race([
        closing,
        new Promise((resolve) => setTimeout(() => resolve(expired), CLOSE_WITHIN).unref()),
      ])
      // An attempt that is cut off is made again: its message has the same id.
      if (first === expired) logger.warn('webhooks in flight are left to the next process')
    },
  }
}
