/** What a video job is: validators of its parts, and how the app sees it. */
import {
  JOB_STAGES,
  JOB_STATUSES,
  type Setting,
  SETTING_NAMES,
  type SettingName,
  SETTINGS,
  type SettingValue,
} from '@kinora/protocol'
import {
  type Infer,
  type Validator,
  type VFloat64,
  type VLiteral,
  type VOptional,
  type VString,
  type VUnion,
  v,
} from 'convex/values'

/** One of these texts. */
function oneOf<const Texts extends readonly [string, ...string[]]>(texts: Texts) {
  // `v.union` types its members one by one, which a list of texts is not.
  return v.union(...texts.map((text) => v.literal(text))) as VUnion<Texts[number], VLiteral<Texts[number]>[]>
}

/** `uploading` until the server has accepted the job, then the wire's statuses; the last three are final and never change. */
export const jobStatus = oneOf(['uploading', ...JOB_STATUSES])
export type JobStatus = Infer<typeof jobStatus>

/** The statuses that the server tells. */
export const wireStatus = oneOf(JOB_STATUSES)

/** The statuses of jobs that have not ended. */
export const OPEN_STATUSES = ['uploading', 'queued', 'processing'] as const satisfies readonly JobStatus[]

/** Whether a status is final. */
export function isFinal(status: JobStatus): boolean {
  return status === 'completed' || status === 'failed' || status === 'canceled'
}

export const jobStage = oneOf(JOB_STAGES)

/** How a picture of the app's storage goes to the server: by URL, as bytes, or by URL where that URL is public and as bytes where it is not. */
export const imageDelivery = v.union(v.literal('auto'), v.literal('url'), v.literal('bytes'))
export type ImageDelivery = Infer<typeof imageDelivery>

/** The wire's settings beside prompt and duration, which have fields of their own here. */
type OwnName = Exclude<SettingName, 'prompt' | 'duration'>
type SettingValidators = {
  [Name in OwnName]: VOptional<SettingValue<Name> extends string ? VString : VFloat64>
}

const TYPES = { text: v.string, integer: v.number, number: v.number } satisfies Record<Setting['type'], unknown>

/** One validator a setting, from the wire's table. */
const settingFields = Object.fromEntries(
  SETTING_NAMES.filter((name) => name !== 'prompt' && name !== 'duration').map((name) => [
    name,
    v.optional(TYPES[SETTINGS[name].type]()),
  ]),
  // An object made from a list has lost which name has which validator.
) as SettingValidators

/** A picture beside the first one, as the wire writes it: one of `image_url` and `upload_id`, and one of `frame`, `at` and `seconds`. */
export const imageRequest = v.object({
  image_url: v.optional(v.string()),
  upload_id: v.optional(v.string()),
  frame: v.optional(v.number()),
  at: v.optional(v.union(v.literal('start'), v.literal('end'))),
  seconds: v.optional(v.number()),
  strength: v.optional(v.number()),
})

/** What else a request says, as the wire names it. */
export const settings = v.object({
  ...settingFields,
  model: v.optional(v.string()),
  /** More pictures with their places, instead of the one picture. */
  images: v.optional(v.array(imageRequest)),
  /** The picture of the last frame. */
  end_image_url: v.optional(v.string()),
  end_upload_id: v.optional(v.string()),
  /** A small object that the server echoes. */
  metadata: v.optional(v.record(v.string(), v.any())),
})
export type Settings = Infer<typeof settings>

/** All that a submission needs; it outlives the job's row where a removed job may still be on the server. */
export const outgoing = v.object({
  /** Where `settings.images` has the pictures, there is none. */
  imageUrl: v.optional(v.string()),
  /** Whether the picture lies in the app's storage. Only such a picture is read here; other URLs are the server's to fetch, behind its guard. */
  isStored: v.boolean(),
  imageDelivery,
  prompt: v.optional(v.string()),
  duration: v.number(),
  settings,
  webhookUrl: v.optional(v.string()),
  idempotencyKey: v.string(),
})
export type Outgoing = Infer<typeof outgoing>

/** What became of a job here that the server shall do as well. */
export const want = v.union(v.literal('cancel'), v.literal('remove'))
export type Want = Infer<typeof want>

const jobFields = {
  _id: v.string(),
  _creationTime: v.number(),
  userId: v.string(),
  sourceImageId: v.optional(v.string()),
  prompt: v.optional(v.string()),
  durationSeconds: v.number(),
  settings,
  status: jobStatus,
  /** The server's id of this job. */
  externalJobId: v.optional(v.string()),
  /** The video; a signed URL may have run out after a while, see `Kinora.videoUrl`. */
  outputVideoUrl: v.optional(v.string()),
  /** A still of the video. */
  posterUrl: v.optional(v.string()),
  /** When both links run out, where they do; milliseconds since 1970. `useVideoJob` has them renewed. */
  linksExpireAt: v.optional(v.number()),
  /** For people, with `failed`. */
  errorMessage: v.optional(v.string()),
  /** For programs, with `failed` and `canceled`. */
  errorCode: v.optional(v.string()),
  /** Milliseconds since 1970. */
  createdAt: v.number(),
  completedAt: v.optional(v.number()),
  /** The copy in the app's own storage, where one was asked for. */
  videoStorageId: v.optional(v.string()),
  /** Why there is no copy. */
  storeError: v.optional(v.string()),
  /** Sentences of the server for people: what was left aside, changed or cut. */
  notices: v.optional(v.array(v.string())),
  /** What the app's `onComplete` threw, after all attempts at calling it. */
  callback_error: v.optional(v.string()),
  /** 0..100; only of a single job, and only while it is not final. */
  progress: v.optional(v.number()),
  stage: v.optional(jobStage),
  queuePosition: v.optional(v.number()),
  notice: v.optional(v.string()),
}

/** A job as queries and callbacks show it. */
export const videoJob = v.object({ ...jobFields, context: v.optional(v.any()) })
export type VideoJob = Infer<typeof videoJob>

/** The same for an app that says what its users and its `context` are. */
export function videoJobFor<
  UserId extends Validator<string, 'required', string>,
  Context extends Validator<unknown, 'required', string>,
>({ userId, context }: { userId: UserId; context: Context }) {
  return v.object({ ...jobFields, userId, context })
}

/** What can happen to a job. The three final events have the wire's names. */
export const eventType = v.union(
  v.literal('job.queued'),
  v.literal('job.processing'),
  v.literal('job.progress'),
  v.literal('job.completed'),
  v.literal('job.failed'),
  v.literal('job.canceled'),
)
export type EventType = Infer<typeof eventType>
