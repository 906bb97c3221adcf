/** What the two processes of a worker say to each other; both check what they hear. */

import { Abilities, JobStage, RequestedSettings, ResolvedSettings } from '@kinora/protocol'
import * as z from 'zod/mini'

/** A picture of the job: its file, its place in the video, its strength. */
export const JobPicture = z.object({
  file: z.string(),
  frame: z.optional(z.number()),
  at: z.optional(z.enum(['start', 'end'])),
  seconds: z.optional(z.number()),
  strength: z.number(),
})
export type JobPicture = z.output<typeof JobPicture>

/** What the video is made with, and what people should know about it. */
const resolution = { settings: ResolvedSettings, notices: z.array(z.string()) }

/** Parent to child. */
export const Command = z.discriminatedUnion('type', [
  /** The first message: load the engine. */
  z.object({
    type: z.literal('open'),
    engine: z.string(),
    options: z.record(z.string(), z.unknown()),
    /** Folder for this child's files; the child removes it if its parent vanishes. */
    scratch: z.string(),
  }),
  z.object({
    type: z.literal('run'),
    job_id: z.string(),
    /** One of them at the start. */
    pictures: z.array(JobPicture),
    /** Paths to write to. */
    video: z.string(),
    poster: z.string(),
    settings: RequestedSettings,
  }),
  z.object({ type: z.literal('cancel'), job_id: z.string() }),
])
export type Command = z.output<typeof Command>

/** Child to parent. */
export const Report = z.discriminatedUnion('type', [
  /** Opening goes on. */
  z.object({ type: z.literal('opening'), detail: z.string() }),
  z.object({ type: z.literal('ready'), engine: z.string(), provider: z.string(), abilities: z.optional(Abilities) }),
  z.object({ type: z.literal('not_ready'), code: z.string(), message: z.string() }),
  /** `fraction` 0..1 of the stage. */
  z.object({
    type: z.literal('progress'),
    job_id: z.string(),
    stage: JobStage,
    fraction: z.number(),
    detail: z.optional(z.string()),
  }),
  z.object({ type: z.literal('resolved'), job_id: z.string(), ...resolution }),
  z.object({ type: z.literal('done'), job_id: z.string(), ...resolution }),
  z.object({
    type: z.literal('failed'),
    job_id: z.string(),
    code: z.string(),
    message: z.string(),
    retryable: z.boolean(),
  }),
])
export type Report = z.output<typeof Report>
