/**
 * Brings the pictures of jobs into the storage before a worker hears of them. A job whose pictures have to be fetched waits in a queue of its own; when they
 * lie in `inputs/{job_id}/`, checked, it goes into the line of workers. No lease ever waits for a stranger's server.
 */
import type { InputLimits } from '../core.ts'
import { inputKey } from '../jobs/keys.ts'
import { joinSignals } from '../join-signals.ts'
import { inWords, type JobPicture } from '../jobs/picture.ts'
import { type Storage, StorageError } from '../storage/index.ts'
import { type BringOptions, createBring } from './bring.ts'
import { type ClaimedFetch, createFetchQueues, type FetchOutcome, type FetchQueuesOptions } from './fetch-queue.ts'
import { createFlights, type Flight } from './flights.ts'
import { InputError, toInputError } from './input-error.ts'
import type { InputJobs, PicturedJob } from './jobs-port.ts'
import { createShare } from './share.ts'
import { createSlots } from './slots.ts'
import { PICTURE_TIMEOUT, putBackDelay, TRY_DELAYS } from './tries.ts'

export interface InputsOptions<Job extends PicturedJob>
  extends
    Pick<FetchQueuesOptions, 'bullmq' | 'connection' | 'models' | 'logger'>,
    Pick<BringOptions, 'fetch' | 'inspect' | 'onFetched'> {
  readonly storage: Storage
  readonly jobs: InputJobs<Job>
  readonly limits?: InputLimits | undefined
}

export interface Inputs<Job extends PicturedJob = PicturedJob> {
  /**
   * Gets the pictures of a job into place. Uploads that were looked at are linked at once; where that is all, the job goes into the line of workers now.
   * Otherwise the rest is fetched, and the job goes there when it has come. Repeating it changes nothing.
   */
  begin(job: Job, priority: number): Promise<'in line' | 'fetching'>
  /** Brings the pictures of a job in now, without the queue. @throws InputError */
  bring(job: Pick<PicturedJob, 'job_id' | 'tenant' | 'pictures'>): Promise<void>
  /** Whether the pictures of a job are still being fetched. */
  has(job: { readonly job_id: string; readonly model: string }): Promise<boolean>
  /** Ends the fetch of a job that was canceled or deleted, at once where this process has it and within a second or two where another has. */
  drop(job: { readonly job_id: string; readonly model: string }): Promise<void>
  /** Jobs of a model whose pictures are being fetched. */
  count(model: string): Promise<number>
  close(): Promise<void>
}

const DONE: FetchOutcome = { done: true }

export async function createInputs<Job extends PicturedJob>(options: InputsOptions<Job>): Promise<Inputs<Job>> {
  const { storage, jobs, limits = {}, logger } = options
  const { claims = 128, claimsPerTenant = 32, delays = TRY_DELAYS, whenAway = 5000, lockDuration = 15_000 } = limits
  const tries = delays.length + 1
  const share = createShare({ total: claims, each: claimsPerTenant })
  const slots = createSlots({ total: limits.fetches ?? 32, perHost: limits.fetchesPerHost ?? 2 })
  const flights = createFlights((jobId) => jobs.waiting(jobId).then((job) => job !== null))
  const bring = createBring({ ...options, slots, timeout: limits.timeout ?? PICTURE_TIMEOUT })
  const queues = await createFetchQueues({ ...options, claims, delays, lockDuration, process })
  queues.start()

  async function process(claimed: ClaimedFetch): Promise<FetchOutcome> {
    const giveBack = share.take(claimed.tenant)
    if (!giveBack) return { done: false, later: putBackDelay(claimed.claims) }
    const flight = flights.begin(claimed.jobId)
    try {
      await work(claimed, flight)
      return DONE
    } catch (error) {
      if (flight.ended === 'closing') return { done: false, later: 0 }
      return fail(claimed, toInputError(error))
    } finally {
      flight.land()
      giveBack()
    }
  }

  async function work(claimed: ClaimedFetch, flight: Flight): Promise<void> {
    const job = await jobs.waiting(claimed.jobId)
    if (job) {
      if (claimed.tries >= tries) throw exhausted(claimed.tries)
      await bringAll(job, flight.signal).catch((error: unknown) => {
        if (flight.ended !== 'unwanted') throw error
      })
    }
    // Whoever writes an object for a job looks afterwards whether the job still is: it may have been canceled or deleted meanwhile.
    if (!(await jobs.isKept(claimed.jobId))) await sweep(claimed)
    else if (job && !flight.ended) await jobs.line(job, claimed.priority)
  }

  /** All at once; the first that will never be had ends the others. */
  async function bringAll(
    { job_id: jobId, tenant, pictures }: Pick<PicturedJob, 'job_id' | 'tenant' | 'pictures'>,
    flying: AbortSignal,
  ): Promise<void> {
    const hopeless = new AbortController()
    const { signal, release } = joinSignals([flying, hopeless.signal])
    const failures: InputError[] = []
    await Promise.all(
      pictures.map((picture, index) =>
        bring(picture, { key: inputKey(jobId, index), tenant, signal }).catch((cause: unknown) => {
          if (hopeless.signal.aborted) return
          const error = pictures.length === 1 ? toInputError(cause) : ofPicture(picture, toInputError(cause))
          failures.push(error)
          if (!error.retryable) hopeless.abort(error)
        }),
      ),
    )
    release()
    const worst = failures.find(({ retryable }) => !retryable) ?? failures[0]
    if (worst) throw worst
  }

  async function sweep({ jobId, pictures }: ClaimedFetch): Promise<void> {
    await Promise.all(Array.from({ length: pictures }, (_, index) => storage.delete(inputKey(jobId, index))))
  }

  /** A try that failed. @throws the error, where another is to be made */
  async function fail({ jobId, tries: made }: ClaimedFetch, error: InputError): Promise<FetchOutcome> {
    if (error.isOurs) {
      logger.warn({ job_id: jobId, error: error.message }, 'a picture waits for the storage or the queue')
      return { done: false, later: whenAway }
    }
    const last = made + 1 >= tries
    logger.info({ job_id: jobId, code: error.code, error: error.message, again: error.retryable && !last }, 'a picture')
    if (error.retryable && !last) throw error
    await jobs.refuse(jobId, error.retryable && made > 0 ? givenUp(error, made + 1) : error)
    return DONE
  }

  /** Whether it lies in its place now. What cannot be linked is left to the queue, which finds out why. */
  async function link(jobId: string, { from }: JobPicture, index: number): Promise<boolean> {
    if (!('key' in from) || !from.checked) return false
    try {
      await storage.link(from.key, inputKey(jobId, index), from.checked)
      return true
    } catch (error) {
      if (error instanceof StorageError) return false
      throw error
    }
  }

  return {
    async begin(job, priority) {
      const { job_id: jobId, tenant, model, created_at: timestamp, pictures } = job
      const linked = await Promise.all(pictures.map((picture, index) => link(jobId, picture, index)))
      if (!linked.includes(false)) {
        await jobs.line(job, priority)
        return 'in line'
      }
      await queues.add({ jobId, tenant, model, priority, timestamp, pictures: pictures.length })
      return 'fetching'
    },
    async bring(job) {
      const flight = flights.begin(job.job_id)
      await bringAll(job, flight.signal).finally(() => flight.land())
    },
    has: ({ job_id: jobId, model }) => queues.has(model, jobId),
    async drop({ job_id: jobId, model }) {
      flights.abort(jobId)
      await queues.drop(model, jobId)
    },
    count: (model) => queues.count(model),
    async close() {
      flights.close()
      await queues.close()
    },
  }
}

/** Of several pictures the words say which one it was. */
function ofPicture({ place }: JobPicture, error: InputError): InputError {
  const { code, message, retryable, isOurs } = error
  return new InputError(code, `The picture ${inWords(place)}: ${message}`, { retryable, isOurs, cause: error })
}

function givenUp(error: InputError, made: number): InputError {
  return new InputError(error.code, `${error.message} It was tried ${made} times.`, { retryable: false, cause: error })
}

/** Every process that had it died with it. */
function exhausted(made: number): InputError {
  return new InputError('image_unreachable', `The picture was tried ${made} times, and none of them came to an end.`, {
    retryable: false,
  })
}
