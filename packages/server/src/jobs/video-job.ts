/** What of a job lies in BullMQ. */
import type { RequestedSettings } from '@kinora/protocol'
import type { Job as BullJob } from 'bullmq'
import type { JobPicture } from './picture.ts'

/** Written once when the job is accepted. */
export interface VideoData {
  readonly tenant: string
  readonly model: string
  readonly settings: RequestedSettings
  /** All pictures, which lie at their keys. Absent in jobs of servers before 0.2, whose picture may still have to be brought in. */
  readonly pictures?: readonly JobPicture[] | undefined
  /** Where the first picture comes from, for servers before 0.2. */
  readonly image: JobPicture['from']
  readonly webhook_url?: string | undefined
  /** The mark of a cancel by a server before 0.2, milliseconds since 1970: a wish, which the store has yet to decide. */
  readonly canceled_at?: number | undefined
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
