/** What an app tells `Kinora`, and what it passes to `create`. */
import type {
  FunctionReference,
  FunctionVisibility,
  GenericActionCtx,
  GenericDataModel,
  GenericMutationCtx,
  GenericQueryCtx,
} from 'convex/server'
import type { GenericId } from 'convex/values'
import type { EventType, ImageDelivery, VideoJob as AnyVideoJob, Settings } from '../component/job.ts'

/** A job, with the app's own types of its users and of what it passes as `context`. */
export type VideoJob<UserId extends string = string, Context = unknown> = Omit<
  AnyVideoJob,
  'userId' | 'context' | 'sourceImageId' | 'videoStorageId'
> & {
  userId: UserId
  sourceImageId?: GenericId<'_storage'>
  videoStorageId?: GenericId<'_storage'>
  context?: Context
}

/** An app's mutation that is called when everything about a job is done: it has ended and, if asked for, its video has been copied. */
export type OnComplete = FunctionReference<'mutation', FunctionVisibility, { job: AnyVideoJob }>

/** An app's mutation that is called on each change of a job. */
export type OnEvent = FunctionReference<'mutation', FunctionVisibility, { type: EventType; job: AnyVideoJob }>

/** An app's action, made by `storeVideo`, that copies a finished video into the app's storage. */
export type StoreVideo = FunctionReference<
  'action',
  FunctionVisibility,
  { jobId: string; url: string; attempt: number }
>

export interface KinoraOptions {
  /**
   * Called once for each job, when it has completed, failed or been canceled. Its arguments are `vOnComplete`, or `vOnCompleteFor` with types of the app's own.
   *
   * Runs after the job's end is recorded. If it throws, its writes are undone and it is called again, ten times within about twenty minutes; then
   * the job's `callback_error` says why it failed.
   */
  readonly onComplete?: OnComplete
  /** Called on each change: queued, processing, progress, completed, failed, canceled. Its arguments are `vOnEvent`, or `vOnEventFor`. */
  readonly onEvent?: OnEvent
  /**
   * Copies finished videos into the app's own storage: `internal.videos.storeVideo`, where that is `export const storeVideo = storeVideo(…)`.
   * Without it videos stay on the Kinora server. `onComplete` waits for the copy.
   */
  readonly storeVideo?: StoreVideo
  /**
   * Where the server shall send results: a URL, or a path on this deployment's site (`/hooks/video`), as given to `registerRoutes`.
   * Not needed where the component is mounted with an `httpPrefix`. Without either the component asks the server for results.
   */
  readonly webhookUrl?: string
  /**
   * How pictures of the app's storage get to the server: `url`, the server fetches them; `bytes`, the component sends them; `auto`, by URL where that
   * is public and as bytes where it is not, as in local development. Default `auto`. Any other URL is the server's to fetch, behind its guard.
   */
  readonly imageDelivery?: ImageDelivery
  /** Attempts at getting a job to the server before it fails, 1 to 100, with pauses from 1 s to 10 min. Default 100: about 17 hours. */
  readonly maxAttempts?: number
}

/** The picture, or several with their places. */
export type Pictures =
  | {
      /** The picture: an id of the app's own storage, or an http(s) URL. JPEG, PNG, WebP, AVIF, HEIC, GIF or TIFF, at most 20 MiB. */
      readonly image: GenericId<'_storage'> | URL | string
      readonly images?: never
    }
  | {
      readonly image?: never
      /** Pictures by URL or upload, with their places in the video, as the wire writes them: one of them at the start. */
      readonly images: NonNullable<Settings['images']>
    }

/** What a job is made of. */
export type CreateArgs<UserId extends string = string, Context = unknown> = JobArgs<UserId, Context> & Pictures

/** The same without its pictures. */
export interface JobArgs<UserId extends string = string, Context = unknown> extends Omit<Settings, 'images'> {
  /** Whose job it is. The component believes it: take it from the authenticated user, never from the client's arguments. */
  readonly userId: UserId
  /** What shall happen in the video, at most 4000 characters. */
  readonly prompt?: string
  /** Seconds, a whole number from 1 to 10. Default 5. */
  readonly duration?: number
  /** Anything that Convex can store in 8192 bytes, handed to the callbacks as `job.context`. */
  readonly context?: Context
}

/**
 * Whose job it may be: a user's, to whom everybody else's does not exist; or `{ any: true }`, anybody's, for code that no client calls with an id of
 * its choice.
 */
export type Scope<UserId extends string = string> = { readonly userId: UserId } | { readonly any: true }

/** A query's, mutation's or action's context: whatever can read. */
export type ReadingCtx =
  | Pick<GenericQueryCtx<GenericDataModel>, 'runQuery' | 'storage'>
  | Pick<GenericMutationCtx<GenericDataModel>, 'runQuery' | 'storage'>
  | Pick<GenericActionCtx<GenericDataModel>, 'runQuery' | 'storage'>

/** A mutation's or action's context. */
export type WritingCtx =
  | Pick<GenericMutationCtx<GenericDataModel>, 'runMutation' | 'storage' | 'db'>
  | Pick<GenericActionCtx<GenericDataModel>, 'runMutation' | 'storage'>
