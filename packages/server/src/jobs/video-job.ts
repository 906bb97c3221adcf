/** What of a job lies in BullMQ: the record of its state while it lives. */
import type { Job as BullJob } from 'bullmq'
import type { JobStage, RequestedSettings, ResolvedSettings } from '@kinora/protocol'
import type { JobPicture } from './picture.ts'

/** Written once when the job is accepted. Only a cancel writes it again: two writers would lose each other's. */
export interface VideoData {
  readonly tenant: string
  readonly model: string
  readonly settings: RequestedSettings
  /** All pictures, which lie at their keys. Absent in jobs of servers before 0.2, whose picture may still have to be brought in. */
  readonly pictures?: readonly JobPicture[] | undefined
  /** Where the first picture comes from, for servers before 0.2. */
  readonly image: JobPicture['from']
  readonly webhook_url?: string | undefined
  /** Milliseconds since 1970. */
  readonly canceled_at?: number | undefined
}

/** Told by the claim, then by heartbeats. */
export interface VideoProgress {
  readonly lease_id: string
  /** 1 for the first. */
  readonly attempt: number
  /** When the first attempt began, milliseconds since 1970. */
  readonly started_at: number
  readonly progress?: number | undefined
  readonly stage?: JobStage | undefined
  readonly settings?: ResolvedSettings | undefined
  /** For people: what was left aside, changed or cut. */
  readonly notices?: readonly string[] | undefined
}

/** What a completed job ends with. */
export interface VideoResult {
  /** Who completed it, so that a repeated report is known as such. */
  readonly lease_id?: string | undefined
  readonly video: { readonly key: string } | { readonly url: string }
  readonly poster_key?: string | undefined
}

/** BullMQ's job. */
export type VideoJob = BullJob<VideoData, VideoResult>

/** Attempts a job has; a worker that dies with it uses one up like one that reports a failure. */
export const ATTEMPTS = 3

/** Milliseconds before the second attempt; doubled for the third. */
export const BACKOFF = 1000

/** Why a job ends badly, as BullMQ keeps it: the code stands before the words. */
export function failureText(code: string, message: string): string {
  return `[${code}] ${message}`
}

export function parseFailure(text: string): { code: string; message: string } {
  const [, code, message] = /^\[([a-z0-9_]+)\] (.*)$/s.exec(text) ?? []
  return code !== undefined && message !== undefined ? { code, message } : { code: 'internal_error', message: text }
}

/** The default model's queue has the original contract's name. */
export function queueName(model: string, models: readonly string[]): string {
  return model === models[0] ? 'video-generation' : `video-generation-${model}`
}
