/** Keeps a lease alive while the child computes, and hears whether the job was canceled. */

import type { JobStage, Lease } from '@kinora/protocol'
import { backoffDelay, pause, type Backoff } from './backoff.ts'
import type { Resolution } from './engines/engine.ts'
import { LeaseError, type LeaseClient } from './lease-client.ts'

export interface KeepLeaseOptions {
  readonly client: Pick<LeaseClient, 'heartbeat'>
  readonly backoff: Backoff
  readonly onCancel: () => void
  /** The lease is somebody else's; no heartbeat follows. */
  readonly onLost: (reason: string) => void
  /** A heartbeat did not arrive; it is tried again. */
  readonly onTrouble: (error: unknown) => void
}

export interface Heartbeats {
  /** What the next heartbeat says. @param progress 0..100 */
  readonly progress: (progress: number, stage: JobStage) => void
  /** What the video is being made with: told once. */
  readonly resolved: (resolution: Resolution) => void
  readonly stop: () => void
}

/** Milliseconds between two heartbeats that only tell progress: more would be noise to the queue. */
const quietest = 1000

/**
 * Sends a heartbeat at once, then each `heartbeat_interval`, and sooner (but not more than one a second) when there is progress to tell. While
 * the server cannot be reached the work goes on: only the server can say that the lease is lost.
 */
export function keepLease(lease: Lease, options: KeepLeaseOptions): Heartbeats {
  const stopped = new AbortController()
  const state: { progress: number; stage: JobStage; resolution?: Resolution } = { progress: 0, stage: 'fetching' }
  let news = new AbortController()

  async function beat(): Promise<void> {
    const { resolution } = state
    const told = resolution && { settings: resolution.settings, notices: [...resolution.notices] }
    const { cancel } = await options.client.heartbeat(
      lease.lease_id,
      { progress: Math.floor(state.progress), stage: state.stage, ...told },
      stopped.signal,
    )
    // If it did not arrive, the next one tells it.
    if (resolution !== undefined) delete state.resolution
    if (cancel) options.onCancel()
  }

  async function wait(): Promise<void> {
    await pause(Math.min(quietest, lease.heartbeat_interval * 1000), stopped.signal)
    const rest = lease.heartbeat_interval * 1000 - quietest
    if (rest > 0) await pause(rest, AbortSignal.any([stopped.signal, news.signal])).catch(() => undefined)
    news = new AbortController()
  }

  async function loop(): Promise<void> {
    let failures = 0
    while (!stopped.signal.aborted) {
      try {
        await beat()
        failures = 0
      } catch (error) {
        if (stopped.signal.aborted) return
        if (error instanceof LeaseError && error.lost) return options.onLost(error.message)
        failures += 1
        options.onTrouble(error)
        // At most the usual interval: the lease's deadline comes nearer.
        const delay = Math.min(backoffDelay(failures + 1, options.backoff), lease.heartbeat_interval * 1000)
        await pause(delay, stopped.signal)
        continue
      }
      await wait()
    }
  }

  // Only the stop ends the pauses with an error.
  void loop().catch(() => undefined)

  return {
    progress(progress, stage) {
      const worthTelling = stage !== state.stage || Math.floor(progress) > Math.floor(state.progress)
      state.progress = Math.max(state.progress, progress)
      state.stage = stage
      if (worthTelling) news.abort()
    },
    resolved(resolution) {
      state.resolution = resolution
    },
    stop: () => stopped.abort(),
  }
}
