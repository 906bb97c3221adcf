/** The component, as an app's functions speak to it. */
import {
  createFunctionHandle,
  type GenericActionCtx,
  type GenericDataModel,
  type PaginationOptions,
  type PaginationResult,
} from 'convex/server'
import type { ComponentApi } from '../component/_generated/component.ts'
import type { Settings } from '../component/job.ts'
import { makeApi, type VideoApi, type VideoApiOptions } from './api.ts'
import { findPicture } from './image.ts'
import type { CreateArgs, KinoraOptions, ReadingCtx, VideoJob, WritingCtx } from './options.ts'

/**
 * ```ts
 * const kinora = new Kinora(components.kinora)
 * const jobId = await kinora.create(ctx, { userId, image: storageId, prompt: 'The cat turns its head' })
 * ```
 *
 * With types of the app's own: `new Kinora<Id<'users'>, { albumId: Id<'albums'> }>(components.kinora)`.
 */
export class Kinora<UserId extends string = string, Context = unknown> {
  readonly component: ComponentApi
  readonly options: KinoraOptions

  /** @param component `components.kinora` of `./_generated/api` */
  constructor(component: ComponentApi, options: KinoraOptions = {}) {
    this.component = component
    this.options = options
  }

  /**
   * Makes a job and returns its id at once; in a mutation, only if the mutation succeeds.
   *
   * @throws ConvexError `{ code: 'invalid_request', message }` that says which argument is outside which limit
   */
  async create(ctx: WritingCtx, args: CreateArgs<UserId, Context>): Promise<string> {
    const { userId, image, prompt, duration, context, ...settings } = args
    const { onComplete, onEvent, storeVideo, webhookUrl, imageDelivery, maxAttempts } = this.options
    return ctx.runMutation(this.component.lib.create, {
      userId,
      ...(await findPicture(ctx, image)),
      settings: onlySettings(settings),
      ...(prompt === undefined ? {} : { prompt }),
      ...(duration === undefined ? {} : { duration }),
      ...(context === undefined ? {} : { context }),
      ...(imageDelivery === undefined ? {} : { imageDelivery }),
      ...(maxAttempts === undefined ? {} : { maxAttempts }),
      ...(webhookUrl === undefined ? {} : { webhookUrl: onThisSite(webhookUrl) }),
      ...(onComplete === undefined ? {} : { onComplete: await createFunctionHandle(onComplete) }),
      ...(onEvent === undefined ? {} : { onEvent: await createFunctionHandle(onEvent) }),
      ...(storeVideo === undefined ? {} : { storeVideo: await createFunctionHandle(storeVideo) }),
    })
  }

  /**
   * The job, with its progress.
   *
   * @param scope with `userId`, null also for a job that is somebody else's: pass it wherever the id comes from a client
   */
  async get(
    ctx: ReadingCtx,
    jobId: string,
    scope: { userId?: UserId } = {},
  ): Promise<VideoJob<UserId, Context> | null> {
    const job = await ctx.runQuery(this.component.lib.get, { jobId, ...scope })
    return job === null ? null : this.#show(ctx, job)
  }

  /** A user's jobs, newest first, a page at a time. */
  async list(
    ctx: ReadingCtx,
    { userId, paginationOpts }: { userId: UserId; paginationOpts: PaginationOptions },
  ): Promise<PaginationResult<VideoJob<UserId, Context>>> {
    const result = await ctx.runQuery(this.component.lib.listByUser, { userId, paginationOpts })
    return { ...result, page: await Promise.all(result.page.map((job) => this.#show(ctx, job))) }
  }

  /** Cancels a job; it shows at once. Answers false where there was nothing to cancel. */
  async cancel(ctx: Pick<WritingCtx, 'runMutation'>, jobId: string, scope: { userId?: UserId } = {}): Promise<boolean> {
    return ctx.runMutation(this.component.lib.cancel, { jobId, ...scope })
  }

  /** Removes a job here and, with its video, on the server; a running one is canceled by that. A copy in the app's storage stays. */
  async remove(ctx: Pick<WritingCtx, 'runMutation'>, jobId: string, scope: { userId?: UserId } = {}): Promise<boolean> {
    return ctx.runMutation(this.component.lib.remove, { jobId, ...scope })
  }

  /**
   * A URL of the finished video that works now, or null: of the copy in the app's storage where there is one, else in an action a fresh one from
   * the server, and in queries and mutations the one from when the job completed (signed URLs run out, after seven days by default).
   */
  async videoUrl(
    ctx: ReadingCtx | Pick<GenericActionCtx<GenericDataModel>, 'runQuery' | 'runAction' | 'storage'>,
    jobId: string,
    scope: { userId?: UserId } = {},
  ): Promise<string | null> {
    const job = await this.get(ctx, jobId, scope)
    if (job === null || job.status !== 'completed') return null
    if (job.videoStorageId === undefined && 'runAction' in ctx) {
      return ctx.runAction(this.component.lib.freshVideoUrl, { jobId, ...scope })
    }
    return job.outputVideoUrl ?? null
  }

  /**
   * The usual functions for the signed-in user, to be exported from a file in `convex/`: `create`, `get`, `listByUser`, `cancel`, `remove`,
   * `generateUploadUrl`.
   *
   * ```ts
   * export const { create, get, listByUser, cancel, remove, generateUploadUrl } = kinora.api({
   *   getUserId: async (ctx) => (await ctx.auth.getUserIdentity())?.subject ?? null,
   * })
   * ```
   */
  api<DataModel extends GenericDataModel = GenericDataModel>(
    options: VideoApiOptions<DataModel, UserId>,
  ): VideoApi<UserId, Context> {
    return makeApi(this, options)
  }

  /** The job with the app's types; its video is the copy in the app's storage where there is one. */
  async #show(ctx: Pick<ReadingCtx, 'storage'>, job: AnyJob): Promise<VideoJob<UserId, Context>> {
    // The component stores strings and whatever the app gave it; these are the types that the app gave.
    const own = job as VideoJob<UserId, Context>
    if (own.videoStorageId === undefined) return own
    const url = await ctx.storage.getUrl(own.videoStorageId)
    return url === null ? own : { ...own, outputVideoUrl: url }
  }
}

type AnyJob = Omit<VideoJob, 'sourceImageId' | 'videoStorageId'> & { sourceImageId?: string; videoStorageId?: string }

/** Fields that are undefined stay out: Convex would refuse them. */
function onlySettings(settings: Settings): Settings {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined))
}

/** A path becomes a URL on this deployment's site. The environment is read here, in a handler. */
function onThisSite(webhookUrl: string): string {
  if (!webhookUrl.startsWith('/')) return webhookUrl
  const site = process.env.CONVEX_SITE_URL
  if (!site) throw new Error(`webhookUrl is the path ${webhookUrl}, but this deployment has no CONVEX_SITE_URL.`)
  return site.replace(/\/+$/, '') + webhookUrl
}
