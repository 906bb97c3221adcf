/** One lease from the claimed job to its end: pictures down, child at work, heartbeats meanwhile, video up, and the server told how it ended. */

import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { isAtStart, type JobStage, type Lease, type ResolvedSettings } from '@kinora/protocol'
import { retry, type Backoff } from './backoff.ts'
import type { EngineChild } from './child/engine-child.ts'
import { describeFailure, type Failure } from './child/failure.ts'
import type { JobPicture } from './child/messages.ts'
import type { Resolution } from './engines/engine.ts'
import { keepLease } from './heartbeats.ts'
import { LeaseError, type LeaseClient } from './lease-client.ts'
import { downloadPicture, TransferError, uploadFile } from './transfer.ts'

/** How a lease ended. */
export type Outcome =
  | { readonly kind: 'completed'; readonly settings: ResolvedSettings; readonly notices: readonly string[] }
  | { readonly kind: 'failed'; readonly failure: Failure; readonly final: boolean }
  | { readonly kind: 'canceled' }
  /** Given back because the worker stops. */
  | { readonly kind: 'released' }
  /** Somebody else has it, or it is gone; the work was dropped. */
  | { readonly kind: 'lost'; readonly reason: string }

export interface LeaseRunOptions {
  readonly client: LeaseClient
  readonly child: EngineChild
  /** Folder for this job's files; made and removed here. */
  readonly folder: string
  readonly fetch: typeof globalThis.fetch
  /** Aborted when the worker stops. */
  readonly stopping: AbortSignal
  readonly backoff: Backoff
  /** Milliseconds for which a picture or video is tried to be transferred. */
  readonly transferPatience: number
  /** Milliseconds for which the end of a lease is tried to be reported. */
  readonly reportPatience: number
  readonly onProgress: (progress: number, stage: JobStage, detail?: string) => void
  /** What the video is being made with. */
  readonly onResolved: (resolution: Resolution) => void
  readonly onTrouble: (what: string, error: unknown) => void
}

/** Why the work on a lease was broken off. */
class Broken extends Error {
  override readonly name = 'Broken'
  readonly why: 'canceled' | 'released' | 'lost'

  constructor(why: Broken['why'], message: string) {
    super(message)
    this.why = why
  }
}

/** Never throws: whatever happens is an outcome. */
export async function runLease(lease: Lease, options: LeaseRunOptions): Promise<Outcome> {
  const { client, stopping } = options
  let stop = () => undefined as void
  const work = new AbortController()
  // Who stops has seconds: the job goes back at once, without waiting for the engine to notice.
  const stopped = new Promise<never>((_, reject) => {
    stop = () => {
      work.abort(new Broken('released', 'The worker stops.'))
      reject(work.signal.reason)
    }
  })
  stopped.catch(() => undefined)
  if (stopping.aborted) stop()
  else stopping.addEventListener('abort', stop, { once: true })
  const heartbeats = keepLease(lease, {
    client,
    backoff: options.backoff,
    onCancel: () => work.abort(new Broken('canceled', 'Canceled')),
    onLost: (reason) => work.abort(new Broken('lost', reason)),
    onTrouble: (error) => options.onTrouble('heartbeat', error),
  })
  let shown = ''
  const show = (progress: number, stage: JobStage, detail?: string) => {
    heartbeats.progress(progress, stage)
    // Engines may report each frame; what people see changes with each per cent.
    const line = `${Math.floor(progress)} ${stage} ${detail ?? ''}`
    if (line === shown) return
    shown = line
    options.onProgress(progress, stage, detail)
  }
  try {
    await mkdir(options.folder, { recursive: true })
    const made = makeAndStore(lease, options, work.signal, show, heartbeats.resolved)
    const resolution = await Promise.race([made, stopped])
    return await Promise.race([deliver(lease, options, work.signal, resolution), stopped])
  } catch (error) {
    return await giveUp(lease, options, work.signal.aborted ? work.signal.reason : error)
  } finally {
    heartbeats.stop()
    stopping.removeEventListener('abort', stop)
    await rm(options.folder, { recursive: true, force: true })
  }
}

type Show = (progress: number, stage: JobStage, detail?: string) => void

/** Parts of the whole that its stages end at, as the contract has them: 0-10 fetching, 10-90 generating, 90-100 uploading. */
const ends = { fetching: 10, generating: 90 } as const

/** Pictures down, child at work, video and poster up. */
async function makeAndStore(
  lease: Lease,
  options: LeaseRunOptions,
  signal: AbortSignal,
  show: Show,
  tell: (resolution: Resolution) => void,
): Promise<Resolution> {
  const { job_id, uploads } = lease
  const video = join(options.folder, 'video.mp4')
  const poster = join(options.folder, 'poster.jpg')
  const transfer = { fetch: options.fetch, signal }
  const patiently = (what: string, attempt: () => Promise<void>) =>
    retry(attempt, {
      ...options.backoff,
      signal,
      retryable: (error) => error instanceof TransferError && error.retryable,
      giveUpAfter: options.transferPatience,
      onRetry: (error) => options.onTrouble(what, error),
    })
  show(0, 'fetching')
  const wanted = picturesOf(lease, options.folder)
  for (const [index, { url, picture }] of wanted.entries()) {
    const what = wanted.length > 1 ? `fetching picture ${index + 1} of ${wanted.length}` : 'fetching the picture'
    await patiently(what, () => downloadPicture(url, picture.file, transfer))
    show((8 * (index + 1)) / wanted.length, 'fetching')
  }
  const pictures = wanted.map(({ picture }) => picture)
  const resolution = await options.child.run(
    { job_id, pictures, video, poster, settings: lease.settings },
    {
      signal,
      onResolved: (resolution) => {
        tell(resolution)
        options.onResolved(resolution)
        show(ends.fetching, 'generating')
      },
      onProgress: (fraction, detail) =>
        show(ends.fetching + (ends.generating - ends.fetching) * fraction, 'generating', detail),
    },
  )
  show(ends.generating, 'uploading')
  await patiently('storing the poster', () => uploadFile(poster, uploads.poster, transfer))
  show(92, 'uploading')
  await patiently('storing the video', () => uploadFile(video, uploads.video, transfer))
  show(99, 'uploading')
  return resolution
}

/** All pictures of a lease, with the files they are fetched into. */
function picturesOf({ image_url, images = [] }: Lease, folder: string): { url: string; picture: JobPicture }[] {
  const placed = images.some(isAtStart) ? images : [{ image_url, at: 'start' as const, strength: 1 }, ...images]
  return placed.map(({ image_url: url, ...place }, index) => ({
    url,
    picture: { ...place, file: join(folder, `picture-${index + 1}`) },
  }))
}

async function deliver(
  lease: Lease,
  options: LeaseRunOptions,
  signal: AbortSignal,
  { settings, notices }: Resolution,
): Promise<Outcome> {
  const end = await report('completing', options, signal, (request) =>
    options.client.complete(lease.lease_id, { settings, notices: [...notices] }, request),
  )
  return end.status === 'canceled' ? { kind: 'canceled' } : { kind: 'completed', settings, notices }
}

/** Tells the server why there is no video, unless it is the server that said so. */
async function giveUp(lease: Lease, options: LeaseRunOptions, error: unknown): Promise<Outcome> {
  const { client } = options
  const { lease_id } = lease
  if (error instanceof Broken && error.why === 'lost') return { kind: 'lost', reason: error.message }
  if (error instanceof LeaseError && error.lost) return { kind: 'lost', reason: error.message }
  // The worker may be stopping: the last word must still get out, but not for ever.
  const patience = { ...options, reportPatience: options.stopping.aborted ? 5000 : options.reportPatience }
  const open = new AbortController().signal
  try {
    if (error instanceof Broken && error.why === 'released') {
      await report('releasing', patience, open, (request) => client.release(lease_id, request))
      return { kind: 'released' }
    }
    const canceled = error instanceof Broken
    const failure = canceled
      ? { code: 'canceled', message: 'Canceled', retryable: false }
      : error instanceof TransferError
        ? error.failure
        : describeFailure(error)
    const { code, message, retryable } = failure
    const end = await report('reporting the failure', patience, open, (request) =>
      client.fail(lease_id, { error: message.slice(0, 4000), error_code: code.slice(0, 100), retryable }, request),
    )
    if (canceled || end.status === 'canceled') return { kind: 'canceled' }
    return { kind: 'failed', failure, final: end.status === 'failed' }
  } catch (problem) {
    const reason = problem instanceof Error ? problem.message : String(problem)
    return { kind: 'lost', reason }
  }
}

async function report<T>(
  what: string,
  options: Pick<LeaseRunOptions, 'backoff' | 'reportPatience' | 'onTrouble'>,
  signal: AbortSignal,
  attempt: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  return retry(() => attempt(signal), {
    ...options.backoff,
    signal,
    retryable: (error) => error instanceof LeaseError && error.retryable,
    askedFor: (error) => (error instanceof LeaseError ? error.retryAfter : undefined),
    giveUpAfter: options.reportPatience,
    onRetry: (error) => options.onTrouble(what, error),
  })
}
