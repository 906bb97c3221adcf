/** The picture of a job: brought once into our own storage, so that workers never fetch a stranger's URL. */
import { ApiError } from '../api-error.ts'
import type { CoreOptions } from '../core.ts'
import { ImageError } from '../images/index.ts'
import { FetchError, isPassingStatus } from '../net/index.ts'
import { StorageError } from '../storage/index.ts'
import { MAX_IMAGE_BYTES } from '@kinora/protocol'
import { inputKey } from '../jobs/keys.ts'
import type { VideoData } from '../jobs/video-job.ts'

/** Pictures fetched at a time by this process, and how many may wait for it; the claim brings in the others. */
const AT_ONCE = 6
const BACKLOG = 1000

/**
 * Milliseconds without a new job after which pictures get all the time there is. While jobs come faster than that, accepting them goes first, and
 * one picture is begun in each such span: they are looked at within seconds all the same, and the claim brings in its own at once.
 */
const QUIET = 50

/** Milliseconds for one picture. */
const FETCH_TIMEOUT = 30_000

/** Why the picture is not there. `permanent`: it never will be. */
export class InputError extends Error {
  override readonly name = 'InputError'
  readonly code: string
  readonly permanent: boolean

  constructor(code: string, message: string, permanent: boolean, options?: ErrorOptions) {
    super(message, options)
    this.code = code
    this.permanent = permanent
  }
}

export interface Inputs {
  /**
   * Makes sure that the picture lies at {@link inputKey}.
   * @throws InputError; ApiError `storage_unavailable`
   */
  ensure(jobId: string, image: VideoData['image']): Promise<void>
  /** Begins to bring it in, soon; `refused` hears of a picture that will never be one. */
  begin(jobId: string, image: VideoData['image'], refused: (error: InputError) => Promise<void>): void
  close(): void
}

export function createInputs(options: Pick<CoreOptions, 'storage' | 'fetch' | 'inspectImage' | 'logger'>): Inputs {
  const { storage, fetch, inspectImage, logger } = options
  const running = new Map<string, Promise<void>>()
  const backlog: (() => Promise<void>)[] = []
  const stop = new AbortController()
  let working = 0
  let lastJob = -Infinity
  let timer: NodeJS.Timeout | undefined

  async function bring(jobId: string, image: VideoData['image']): Promise<void> {
    try {
      if (await storage.head(inputKey(jobId))) return
      const bytes = 'url' in image ? await fetchBytes(image.url) : await readUpload(image.key)
      const { contentType } = await inspectImage(bytes)
      await storage.put(inputKey(jobId), bytes, { contentType })
    } catch (error) {
      throw explain(error)
    }
  }

  async function fetchBytes(url: string): Promise<Uint8Array> {
    const response = await fetch(url, {
      headers: { accept: 'image/*' },
      timeout: FETCH_TIMEOUT,
      maxBytes: MAX_IMAGE_BYTES,
      signal: stop.signal,
    })
    if (response.ok) return response.body
    const { status } = response
    throw new InputError(
      'image_unreachable',
      `${new URL(url).host} answered HTTP ${status} for the picture.`,
      !isPassingStatus(status),
    )
  }

  async function readUpload(key: string): Promise<Uint8Array> {
    const object = await storage.get(key)
    if (!object) throw new InputError('image_missing', 'The uploaded picture is no longer there.', true)
    if (object.size > MAX_IMAGE_BYTES) {
      await object.body.cancel()
      throw new InputError(
        'image_too_large',
        `The picture has ${object.size} bytes; at most ${MAX_IMAGE_BYTES} are allowed.`,
        true,
      )
    }
    return new Uint8Array(await new Response(object.body).arrayBuffer())
  }

  const isQuiet = (): boolean => performance.now() - lastJob >= QUIET

  function start(atOnce: number): void {
    while (working < atOnce && !stop.signal.aborted) {
      const task = backlog.shift()
      if (!task) return
      working++
      void task().finally(() => {
        working--
        if (isQuiet()) start(AT_ONCE)
      })
    }
  }

  function startSoon(): void {
    timer ??= setTimeout(() => {
      timer = undefined
      start(isQuiet() ? AT_ONCE : 1)
      if (backlog.length > 0 && !stop.signal.aborted) startSoon()
    }, QUIET)
  }

  const inputs: Inputs = {
    ensure(jobId, image) {
      const known = running.get(jobId)
      if (known) return known
      const bringing = bring(jobId, image).finally(() => running.delete(jobId))
      running.set(jobId, bringing)
      return bringing
    },

    begin(jobId, image, refused) {
      lastJob = performance.now()
      if (backlog.length >= BACKLOG) return
      backlog.push(async () => {
        try {
          await inputs.ensure(jobId, image)
        } catch (error) {
          if (stop.signal.aborted) return
          logger.info({ job_id: jobId, error: messageOf(error) }, 'the picture could not be brought in')
          // Whatever passes is tried again when a worker claims the job.
          if (error instanceof InputError && error.permanent) {
            await refused(error).catch((cause: unknown) =>
              logger.warn(
                { job_id: jobId, error: messageOf(cause) },
                'a job with a bad picture waits for a worker to end it',
              ),
            )
          }
        }
      })
      startSoon()
    },

    close() {
      backlog.length = 0
      clearTimeout(timer)
      stop.abort()
    },
  }
  return inputs
}

function explain(error: unknown): Error {
  if (error instanceof InputError) return error
  if (error instanceof ImageError) return new InputError(error.code, error.message, true, { cause: error })
  if (error instanceof FetchError) {
    const code =
      error.code === 'forbidden_address'
        ? 'image_forbidden_address'
        : error.code === 'too_large'
          ? 'image_too_large'
          : 'image_unreachable'
    return new InputError(code, error.message, error.permanent, { cause: error })
  }
  if (error instanceof StorageError && !error.permanent) return storageUnavailable(error)
  return new InputError('internal_error', `The picture could not be brought in: ${messageOf(error)}`, false, {
    cause: error,
  })
}

/** The refusal while the storage is away. */
export function storageUnavailable(cause: unknown): ApiError {
  return new ApiError('storage_unavailable', 'The storage cannot be reached at present. Try again.', {
    retryAfter: 5,
    cause,
  })
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
