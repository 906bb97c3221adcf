/** One lease from the claimed job to its end: picture down, child at work, heartbeats meanwhile, video up, and the server told how it ended. */

import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { JobStage, Lease, ResolvedSettings } from '@kinora/protocol'
import { retry, type Backoff } from './backoff.ts'
import type { EngineChild } from './child/engine-child.ts'
import { describeFailure, type Failure } from './child/failure.ts'
import { keepLease } from './heartbeats.ts'
import { LeaseError, type LeaseClient } from './lease-client.ts'
import { downloadPicture, TransferError, uploadFile } from './transfer.ts'

/** How a lease ended. */
export type Outcome =
  | { readonly kind: 'completed'; readonly settings: ResolvedSettings }
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
    const settings = await Promise.race([makeAndStore(lease, options, work.signal, show, heartbeats.settings), stopped])
    return await Promise.race([deliver(lease, options, work.signal, settings), stopped])
  } catch (error) {
    return await giveUp(lease, options, work.signal.aborted ? work.signal.reason : error)
  } finally {
    heartbeats.stop()
    stopping.removeEventListener('abort', stop)
    await rm(options.folder, { recursive: true, force: true })
  }
}

type Show = (progress: number, stage: JobStage, detail?: string) => void

/** Picture down, child at work, video and poster up. Progress as the contract has it: 0-10, 10-90, 90-100. */
async function makeAndStore(
  lease: Lease,
  options: LeaseRunOptions,
  signal: AbortSignal,
  show: Show,
  tell: (settings: ResolvedSettings) => void,
): Promise<ResolvedSettings> {
  const { job_id, uploads } = lease
  const [picture, video, poster] = ['picture', 'video.mp4', 'poster.jpg'].map((name) => join(options.folder, name)) as [
    string,
    string,
    string,
  ]
  const transfer = { fetch: options.fetch, signal }
  const patiently = (what: string, attempt: () => Promise<void>) =>
    retry(attempt, {
      ...options.backoff,
      signal,
      passing: (error) => error instanceof TransferError && error.passing,
      giveUpAfter: options.transferPatience,
      onRetry: (error) => options.onTrouble(what, error),
    })
  show(0, 'fetching')
  await patiently('fetching the picture', () => downloadPicture(lease.image_url, picture, transfer))
  show(8, 'fetching')
  const settings = await options.child.run(
    { job_id, picture, video, poster, settings: lease.settings },
    {
      signal,
      onSettings: (settings) => {
        tell(settings)
        show(10, 'generating')
      },
      onProgress: (fraction, detail) => show(10 + 80 * fraction, 'generating', detail),
    },
  )
  show(90, 'uploading')
  await patiently('storing the poster', () => uploadFile(poster, uploads.poster, transfer))
  show(92, 'uploading')
  await patiently('storing the video', () => uploadFile(video, uploads.video, transfer))
  show(99, 'uploading')
  return settings
}

async function deliver(
  lease: Lease,
  options: LeaseRunOptions,
  signal: AbortSignal,
  settings: ResolvedSettings,
): Promise<Outcome> {
  const end = await report('completing', options, signal, (request) =>
    options.client.complete(lease.lease_id, { settings }, request),
  )
  return end.status === 'canceled' ? { kind: 'canceled' } : { kind: 'completed', settings }
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
    const failure = canceled ? { code: 'canceled', message: 'Canceled', retryable: false } : describeFailure(error)
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
    passing: (error) => error instanceof LeaseError && error.passing,
    askedFor: (error) => (error instanceof LeaseError && error.retryAfter ? error.retryAfter * 1000 : undefined),
    giveUpAfter: options.reportPatience,
    onRetry: (error) => options.onTrouble(what, error),
  })
}
