/** A job as BullMQ has it, as far as it is ours to know. */
import type { VideoProgress } from './record.ts'
import type { VideoResult } from './video-job.ts'

export interface LiveState {
  /** The lock's, of whoever holds the job; null while nobody does. It is the lease's id. */
  readonly token: string | null
  /** What the claim and the heartbeats wrote; undefined before the first claim. */
  readonly progress: VideoProgress | undefined
  /** BullMQ's count of reported failures. */
  readonly made: number
  /** BullMQ's count of dead leases. */
  readonly stalled: number
  /** How BullMQ ended it, where it has. */
  readonly ended?: BullEnd | undefined
}

export interface BullEnd {
  /** Of a completed job. */
  readonly result?: VideoResult | undefined
  /** Of a failed job. */
  readonly reason?: string | undefined
}

/** BullMQ's progress is 0 before the first claim. */
export function isProgress(told: unknown): told is VideoProgress {
  return typeof told === 'object' && told !== null && 'lease_id' in told
}

export function toResult(value: unknown): VideoResult | undefined {
  return typeof value === 'object' && value !== null && 'video' in value ? (value as VideoResult) : undefined
}
