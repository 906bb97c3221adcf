/** The client: one method for each thing an app does. */
import {
  type GenerateRequest,
  HEADERS,
  type Health,
  isFinal,
  type Job,
  type JobList,
  type Model,
  type ModelList,
  EVENT_STREAM,
  paths,
  type PresignDownload,
} from '@kinora/protocol'
import { hasTexts, isFields, isJob, isJobList } from './answer.ts'
import { startDeadline } from './deadline.ts'
import { JobCanceledError, JobFailedError, TimeoutError } from './errors.ts'
import { follow, type StreamOptions } from './follow.ts'
import { Http } from './http.ts'
import { type ImageInput, readPicture } from './image.ts'
import { type CallOptions, type KinoraOptions, readOptions } from './options.ts'
import { type Pictures, sendPictures } from './pictures.ts'
import { upload, type UploadProgress } from './upload.ts'

/** The settings as the wire names them, and the pictures: one, one for the last frame beside it, or `images` with their places. */
export type GenerateInput = Omit<
  GenerateRequest,
  'image_url' | 'upload_id' | 'images' | 'end_image_url' | 'end_upload_id'
> &
  Pictures

export interface UploadOptions extends CallOptions {
  onUploadProgress?: ((progress: UploadProgress) => void) | undefined
}

export interface GenerateOptions extends UploadOptions {
  /**
   * At most 255 characters that name this video, such as your order's id: calling again with it, even from another process, makes no second
   * video. Default: a random one for each call, which covers the SDK's own retries.
   */
  idempotencyKey?: string | undefined
}

export interface WaitOptions extends StreamOptions {
  /** Milliseconds. When they are over, `wait` rejects with a TimeoutError that has the `jobId`; the job goes on. Default: no limit. */
  timeout?: number | undefined
  /** Called with each snapshot on the way. */
  onProgress?: ((job: Job) => void) | undefined
}

export interface PageOptions extends CallOptions {
  /** Jobs a page, 1..100. Default: the server's, 20. */
  limit?: number | undefined
  /** `next_cursor` of the page before. */
  cursor?: string | undefined
}

export interface DownloadOptions extends CallOptions {
  /** Sent to the storage: `{ range: 'bytes=0-1023' }`. */
  headers?: HeadersInit | undefined
}

/** A job that has its video. */
export type CompletedJob = Job & { status: 'completed' }

/**
 * A client of one server.
 *
 * @example
 * const kinora = new Kinora({ baseUrl: 'https://video.example.com', apiKey })
 * const job = await kinora.generate({ image: file, prompt: 'The cat blinks', duration: 5 })
 * const done = await kinora.wait(job.job_id, { onProgress: ({ progress }) => console.log(progress) })
 * const response = await kinora.download(done.job_id)
 */
export class Kinora {
  readonly #http: Http

  /** @throws InputError for an option that cannot work */
  constructor(options: KinoraOptions) {
    this.#http = new Http(readOptions(options))
  }

  /**
   * Asks for a video and returns the queued job at once. Bytes are uploaded first.
   *
   * @throws InputError, ApiError (`invalid_request`, `unknown_model`, …), ConnectionError, TimeoutError. The last two carry the `idempotencyKey`:
   *   whether the job exists is unknown then, and calling again with that key is safe.
   */
  async generate(input: GenerateInput, options: GenerateOptions = {}): Promise<Job> {
    const { signal, onUploadProgress: onProgress } = options
    const idempotencyKey = options.idempotencyKey ?? randomKey()
    const { image, end_image, images, ...fields } = input
    const pictures = await sendPictures(this.#http, { image, end_image, images }, { signal, onProgress })
    const json = { ...fields, ...pictures }
    const headers = { [HEADERS.idempotencyKey]: idempotencyKey }
    return this.#http.json(
      { method: 'POST', to: paths.generate(), json, headers, signal, context: { idempotencyKey } },
      isJob,
    )
  }

  /**
   * Puts a picture into the server's storage, to be named as `upload_id` in one or more calls of `generate`.
   *
   * @throws InputError for a URL that the server can fetch itself, and as `generate`
   */
  async upload(image: Exclude<ImageInput, URL>, options: UploadOptions = {}): Promise<{ upload_id: string }> {
    const picture = await readPicture(image, options.signal)
    if ('url' in picture) throw new TypeError('An http(s) URL needs no upload: pass it to generate as `image`.')
    const task = { ...picture, signal: options.signal, onProgress: options.onUploadProgress }
    return { upload_id: await upload(this.#http, task) }
  }

  /** The job as it is now. @throws ApiError `job_not_found` */
  async status(jobId: string, { signal }: CallOptions = {}): Promise<Job> {
    return this.#http.json({ method: 'GET', to: paths.job(jobId), signal, context: { jobId } }, isJob)
  }

  /**
   * The job's snapshots, the present one first, ending after the final one. Survives cut connections and proxies that hold streams back.
   *
   * @throws ApiError `job_not_found`, also when the job is deleted meanwhile
   */
  stream(jobId: string, options: StreamOptions = {}): AsyncGenerator<Job, void, undefined> {
    const source = {
      open: (lastEventId: string | undefined) => this.#openEvents(paths.jobEvents(jobId), lastEventId, options, jobId),
      poll: async () => [await this.status(jobId, options)],
      ends: (job: Job) => isFinal(job.status),
    }
    return follow(source, options)
  }

  /**
   * Snapshots of all of the tenant's jobs as they change, without end: stop by `break` or by the signal. One connection, where `stream` for many jobs
   * would meet the browser's limit of six. Where it has to be replaced by polling, the newest 100 jobs come once each at first.
   */
  events(options: StreamOptions = {}): AsyncGenerator<Job, void, undefined> {
    const source = {
      open: (lastEventId: string | undefined) => this.#openEvents(paths.events(), lastEventId, options),
      poll: async () => (await this.page({ limit: 100, signal: options.signal })).jobs.reverse(),
      ends: () => false,
    }
    return follow(source, options)
  }

  #openEvents(to: string, lastEventId: string | undefined, { signal }: CallOptions, jobId?: string) {
    const headers = {
      accept: EVENT_STREAM,
      ...(lastEventId === undefined ? {} : { [HEADERS.lastEventId]: lastEventId }),
    }
    return this.#http.send({ method: 'GET', to, headers, signal, stream: true, context: { jobId } })
  }

  /**
   * Waits until the job has its video.
   *
   * @throws JobFailedError and JobCanceledError, which carry the job; TimeoutError, after which the job goes on and can be waited for again
   */
  async wait(
    jobId: string,
    { timeout = Infinity, onProgress, signal, ...options }: WaitOptions = {},
  ): Promise<CompletedJob> {
    const deadline = startDeadline(signal, timeout)
    let job: Job | undefined
    try {
      for await (job of this.stream(jobId, { ...options, signal: deadline.signal })) onProgress?.(job)
    } catch (error) {
      if (!deadline.timedOut()) throw error
      throw new TimeoutError(
        `Job ${jobId} was not finished within ${timeout} ms (${job ? `${job.status}, ${job.progress ?? 0} %` : 'not seen yet'}). It goes on: call wait again.`,
        { jobId, job },
      )
    } finally {
      deadline.release()
    }
    if (job?.status === 'completed') return { ...job, status: job.status }
    if (job?.status === 'failed') throw new JobFailedError(job)
    if (job?.status === 'canceled') throw new JobCanceledError(job)
    throw new Error(`The stream of job ${jobId} ended without a final state.`)
  }

  /** Asks to cancel the job and returns it. One that has ended already stays as it ended. */
  async cancel(jobId: string, { signal }: CallOptions = {}): Promise<Job> {
    return this.#http.json({ method: 'POST', to: paths.cancel(jobId), signal, context: { jobId } }, isJob)
  }

  /** Cancels the job if it is not finished, and removes it with its picture and video. */
  async delete(jobId: string, { signal }: CallOptions = {}): Promise<void> {
    const request = { method: 'DELETE', to: paths.job(jobId), signal, context: { jobId }, accept: [404] } as const
    const { response, attempts } = await this.#http.send(request)
    // Not found after a retry means that an earlier attempt did it and its answer was lost.
    if (response.status === 404 && attempts === 1) await this.#http.send({ ...request, accept: [], retries: 0 })
  }

  /** All jobs, newest first, page after page as they are asked for. */
  async *list({ cursor, ...options }: PageOptions = {}): AsyncGenerator<Job, void, undefined> {
    let next: string | null | undefined = cursor
    do {
      const page: JobList = await this.page({ ...options, cursor: next ?? undefined })
      yield* page.jobs
      next = page.next_cursor
    } while (next !== null)
  }

  /** One page of the list. */
  async page({ limit, cursor, signal }: PageOptions = {}): Promise<JobList> {
    return this.#http.json({ method: 'GET', to: paths.jobs(), query: { limit, cursor }, signal }, isJobList)
  }

  /**
   * The video, to be streamed: `response.body`, `await response.blob()`. `downloadTo` in `@kinora/sdk/node` writes a file.
   *
   * @throws ApiError `job_not_completed`, `video_gone`
   */
  async download(jobId: string, { signal, headers }: DownloadOptions = {}): Promise<Response> {
    const context = { jobId }
    // Not by the redirect of /video: browsers send redirected requests with the origin "null", and S3 refuses a key beside a signature.
    const request = { method: 'GET', to: paths.presignDownload(jobId), signal, context } as const
    const { download_url } = await this.#http.json(
      request,
      hasTexts<keyof PresignDownload & 'download_url'>('download_url'),
    )
    const send = { method: 'GET', to: download_url, signal, stream: true, context } as const
    return (await this.#http.send(headers === undefined ? send : { ...send, headers })).response
  }

  /** The server's models, the default first: what each can do, its limits, and whether a worker serves it. */
  async models({ signal }: CallOptions = {}): Promise<Model[]> {
    return (await this.#http.json({ method: 'GET', to: paths.models(), signal }, isModelList)).models
  }

  /** How the server and its queue are. Also answered, with `redis: "error"`, when the queue's store can't be reached. */
  async health({ signal }: CallOptions = {}): Promise<Health> {
    return this.#http.json({ method: 'GET', to: paths.health(), signal, accept: [503], retries: 0 }, isHealth)
  }

  /** The secret that this API key's webhooks are signed with. */
  async webhookSecret({ signal }: CallOptions = {}): Promise<string> {
    return (await this.#http.json({ method: 'GET', to: paths.webhookSecret(), signal }, hasTexts('secret'))).secret
  }
}

function isModelList(value: unknown): value is ModelList {
  return isFields(value) && Array.isArray(value.models) && value.models.every(hasTexts('model'))
}

function isHealth(value: unknown): value is Health {
  return isFields(value) && value.api === 'ok' && isFields(value.queue)
}

/** crypto.randomUUID is missing on pages that came over plain http. */
function randomKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(18))
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
}
