/** The component, as an app's functions speak to it. */
import {
  createFunctionHandle,
  type GenericActionCtx,
  type GenericDataModel,
  type GenericMutationCtx,
  type PaginationOptions,
  type PaginationResult,
} from 'convex/server'
import type { GenericId } from 'convex/values'
import type { ComponentApi } from '../component/_generated/component.ts'
import type { Settings } from '../component/job.ts'
import { makeApi, type VideoApi, type VideoApiOptions } from './api.ts'
import { findPicture } from './image.ts'
import type { CreateArgs, KinoraOptions, ReadingCtx, Scope, VideoJob, WritingCtx } from './options.ts'

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
      ...(image === undefined ? {} : await findPicture(ctx, image)),
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
   * The job, with its progress; null where there is none in this scope.
   *
   * @param scope `{ userId }` wherever the id comes from a client
   */
  async get(ctx: ReadingCtx, jobId: string, scope: Scope<UserId>): Promise<VideoJob<UserId, Context> | null> {
    const job = await ctx.runQuery(this.component.lib.get, { jobId, ...ownerIn(scope) })
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
  async cancel(ctx: Pick<WritingCtx, 'runMutation'>, jobId: string, scope: Scope<UserId>): Promise<boolean> {
    return ctx.runMutation(this.component.lib.cancel, { jobId, ...ownerIn(scope) })
  }

  /** Removes a job here and, with its video, on the server; a running one is canceled by that. A copy in the app's storage stays. */
  async remove(ctx: Pick<WritingCtx, 'runMutation'>, jobId: string, scope: Scope<UserId>): Promise<boolean> {
    return ctx.runMutation(this.component.lib.remove, { jobId, ...ownerIn(scope) })
  }

  /**
   * Removes jobs that ended long ago, here and on the server, in batches that go on by themselves; copies in the app's storage stay. For a cron:
   *
   * ```ts
   * crons.daily('old videos', { hourUTC: 3, minuteUTC: 0 }, internal.videos.cleanUp)
   * export const cleanUp = internalMutation(async (ctx) => kinora.cleanUp(ctx, { olderThan: 30 * 24 * 3600 * 1000 }))
   * ```
   *
   * @param options `olderThan`: milliseconds since the job's end
   */
  async cleanUp(ctx: Pick<WritingCtx, 'runMutation'>, { olderThan }: { olderThan: number }): Promise<void> {
    await ctx.runMutation(this.component.retention.cleanUp, { olderThan })
  }

  /**
   * Removes what there is of a user, at most a hundred jobs a call: the jobs here and on the server, the copies of their videos in the app's storage
   * and, if asked for, the pictures they were made of. Call it again until `isDone`; in a mutation each call is all or nothing.
   */
  async removeUser(
    ctx: Pick<GenericMutationCtx<GenericDataModel>, 'runMutation' | 'storage'>,
    userId: UserId,
    { pictures = false }: { pictures?: boolean } = {},
  ): Promise<{ removed: number; isDone: boolean }> {
    const batch = await ctx.runMutation(this.component.retention.removeUser, ownerIn({ userId }))
    for (const storageId of pictures ? [...batch.copies, ...batch.pictures] : batch.copies) {
      if ((await ctx.storage.getUrl(storageId)) !== null) await ctx.storage.delete(storageId as GenericId<'_storage'>)
    }
    return { removed: batch.removed, isDone: batch.isDone }
  }

  /** How many jobs of a user have not ended, counted up to a thousand: for limits in `beforeCreate`. */
  async countOpen(ctx: Pick<ReadingCtx, 'runQuery'>, userId: UserId): Promise<number> {
    return ctx.runQuery(this.component.lib.countOpen, ownerIn({ userId }))
  }

  /**
   * A URL of the finished video that works now, or null: of the copy in the app's storage where there is one, else in an action a fresh one from
   * the server, and in queries and mutations the one from when the job completed (signed URLs run out, after seven days by default).
   */
  async videoUrl(
    ctx: ReadingCtx | Pick<GenericActionCtx<GenericDataModel>, 'runQuery' | 'runAction' | 'storage'>,
    jobId: string,
    scope: Scope<UserId>,
  ): Promise<string | null> {
    const job = await this.get(ctx, jobId, scope)
    if (job === null || job.status !== 'completed') return null
    if (job.videoStorageId === undefined && 'runAction' in ctx) {
      return ctx.runAction(this.component.lib.freshVideoUrl, { jobId, ...ownerIn(scope) })
    }
    return job.outputVideoUrl ?? null
  }

  /** In an action: links to the video and its still that work now, those of the copy in the app's storage first; null where there is no finished video. */
  async links(
    ctx: Pick<GenericActionCtx<GenericDataModel>, 'runQuery' | 'runAction' | 'storage'>,
    jobId: string,
    scope: Scope<UserId>,
  ): Promise<{ videoUrl?: string; posterUrl?: string } | null> {
    const job = await this.get(ctx, jobId, scope)
    if (job === null || job.status !== 'completed') return null
    if (job.videoStorageId !== undefined && job.outputVideoUrl !== undefined) {
      return { videoUrl: job.outputVideoUrl, ...(job.posterUrl === undefined ? {} : { posterUrl: job.posterUrl }) }
    }
    return ctx.runAction(this.component.links.freshLinks, { jobId, ...ownerIn(scope) })
  }

  /**
   * In a mutation: has the links of a job made anew if they run out within the hour or have done so; queries of the job then change by themselves.
   * Answers whether that is under way. `useVideoJob` calls it where `kinora.api()`'s `renew` is exported.
   */
  async renewLinks(ctx: Pick<WritingCtx, 'runMutation'>, jobId: string, scope: Scope<UserId>): Promise<boolean> {
    return ctx.runMutation(this.component.links.renew, { jobId, ...ownerIn(scope) })
  }

  /**
   * The usual functions for the signed-in user, to be exported from a file in `convex/`: `create`, `get`, `listByUser`, `list`, `cancel`,
   * `remove`, `renew`, `generateUploadUrl`.
   *
   * ```ts
   * export const { create, get, listByUser, list, cancel, remove, renew, generateUploadUrl } = kinora.api({
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

/**
 * The owner as the component is told it. A user whose id is missing at run time is nobody, not everybody.
 *
 * @throws TypeError where the scope says neither
 */
function ownerIn<UserId extends string>(scope: { userId: UserId }): { userId: UserId }
function ownerIn<UserId extends string>(scope: Scope<UserId>): { userId?: UserId }
function ownerIn<UserId extends string>(scope: Scope<UserId> | undefined): { userId?: UserId } {
  if (scope !== undefined && 'userId' in scope && typeof scope.userId === 'string' && scope.userId !== '') {
    return { userId: scope.userId }
  }
  if (scope !== undefined && 'any' in scope && scope.any) return {}
  throw new TypeError('Say whose job it may be: { userId } of the signed-in user, or { any: true }.')
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
