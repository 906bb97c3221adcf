/** The functions that nearly every app writes around the component: those of the signed-in user. */
import {
  type GenericDataModel,
  type GenericMutationCtx,
  type GenericQueryCtx,
  mutationGeneric,
  type PaginationOptions,
  paginationOptsValidator,
  type PaginationResult,
  queryGeneric,
  type RegisteredMutation,
  type RegisteredQuery,
} from 'convex/server'
import { ConvexError, type GenericId, v } from 'convex/values'
import { settings } from '../component/job.ts'
import type { Kinora } from './kinora.ts'
import type { JobArgs, VideoJob } from './options.ts'

export interface VideoApiOptions<DataModel extends GenericDataModel, UserId extends string> {
  /** Who is signed in, or null. Called in queries and mutations alike. */
  readonly getUserId: (ctx: GenericQueryCtx<DataModel>) => Promise<UserId | null>
  /**
   * Called before a job is made, in the same mutation: throw a `ConvexError` to refuse it. The place for rate limits (`@convex-dev/rate-limiter`),
   * for limits on open jobs (`kinora.countOpen`), for what a plan allows and for looking at prompts.
   */
  readonly beforeCreate?: (
    ctx: GenericMutationCtx<DataModel>,
    request: CreateRequest & { readonly userId: UserId },
  ) => Promise<void> | void
  /** The same before an upload URL is handed out. */
  readonly beforeUpload?: (ctx: GenericMutationCtx<DataModel>, userId: UserId) => Promise<void> | void
}

/** What a client says of the job it wants. */
export type CreateRequest = Omit<JobArgs, 'userId' | 'duration' | 'context'> & {
  sourceImageId: GenericId<'_storage'>
  durationSeconds?: number
}

/** Functions of an app's public API. */
export interface VideoApi<UserId extends string, Context> {
  /** Where the browser puts the picture, before it calls `create`. */
  generateUploadUrl: RegisteredMutation<'public', Record<string, never>, Promise<string>>
  /** Makes a job of the signed-in user. */
  create: RegisteredMutation<'public', CreateRequest, Promise<string>>
  /** One of the user's jobs; null where it is another's, or nobody is signed in. */
  get: RegisteredQuery<'public', { jobId: string }, Promise<VideoJob<UserId, Context> | null>>
  /** The user's newest fifty. */
  listByUser: RegisteredQuery<'public', Record<string, never>, Promise<VideoJob<UserId, Context>[]>>
  /** All of them, newest first, a page at a time, for `useVideoJobPages`. */
  list: RegisteredQuery<
    'public',
    { paginationOpts: PaginationOptions },
    Promise<PaginationResult<VideoJob<UserId, Context>>>
  >
  cancel: RegisteredMutation<'public', { jobId: string }, Promise<boolean>>
  remove: RegisteredMutation<'public', { jobId: string }, Promise<boolean>>
  /** Has links that run out made anew; `useVideoJob` calls it. */
  renew: RegisteredMutation<'public', { jobId: string }, Promise<boolean>>
}

/** What a client may set beside its one picture. */
const { images: _, ...oneSetting } = settings.fields

/** How many jobs `listByUser` shows. */
const NEWEST = 50

export function makeApi<DataModel extends GenericDataModel, UserId extends string, Context>(
  kinora: Kinora<UserId, Context>,
  { getUserId, beforeCreate, beforeUpload }: VideoApiOptions<DataModel, UserId>,
): VideoApi<UserId, Context> {
  const signedIn = async (ctx: GenericQueryCtx<DataModel>): Promise<UserId> => {
    const userId = await getUserId(ctx)
    if (userId === null) throw new ConvexError({ code: 'unauthenticated', message: 'Sign in to make videos.' })
    return userId
  }
  return {
    generateUploadUrl: mutationGeneric({
      args: {},
      handler: async (ctx) => {
        const userId = await signedIn(ctx)
        await beforeUpload?.(ctx, userId)
        return ctx.storage.generateUploadUrl()
      },
    }),
    create: mutationGeneric({
      args: {
        sourceImageId: v.id('_storage'),
        prompt: v.optional(v.string()),
        durationSeconds: v.optional(v.number()),
        ...oneSetting,
      },
      handler: async (ctx, request) => {
        const userId = await signedIn(ctx)
        await beforeCreate?.(ctx, { ...request, userId })
        const { sourceImageId, durationSeconds, ...rest } = request
        return kinora.create(ctx, {
          userId,
          image: sourceImageId,
          ...(durationSeconds === undefined ? {} : { duration: durationSeconds }),
          ...rest,
        })
      },
    }),
    get: queryGeneric({
      args: { jobId: v.string() },
      handler: async (ctx, { jobId }) => {
        const userId = await getUserId(ctx)
        return userId === null ? null : kinora.get(ctx, jobId, { userId })
      },
    }),
    listByUser: queryGeneric({
      args: {},
      handler: async (ctx) => {
        const userId = await getUserId(ctx)
        if (userId === null) return []
        const { page } = await kinora.list(ctx, { userId, paginationOpts: { numItems: NEWEST, cursor: null } })
        return page
      },
    }),
    list: queryGeneric({
      args: { paginationOpts: paginationOptsValidator },
      handler: async (ctx, { paginationOpts }) => {
        const userId = await getUserId(ctx)
        // The cursor after the last page, so that the page fills when somebody signs in.
        if (userId === null) return { page: [], isDone: true, continueCursor: 'end' }
        return kinora.list(ctx, { userId, paginationOpts })
      },
    }),
    cancel: mutationGeneric({
      args: { jobId: v.string() },
      handler: async (ctx, { jobId }) => kinora.cancel(ctx, jobId, { userId: await signedIn(ctx) }),
    }),
    remove: mutationGeneric({
      args: { jobId: v.string() },
      handler: async (ctx, { jobId }) => kinora.remove(ctx, jobId, { userId: await signedIn(ctx) }),
    }),
    renew: mutationGeneric({
      args: { jobId: v.string() },
      handler: async (ctx, { jobId }) => {
        const userId = await getUserId(ctx)
        return userId === null ? false : kinora.renewLinks(ctx, jobId, { userId })
      },
    }),
  }
}
