/** The functions that nearly every app writes around the component: those of the signed-in user. */
import {
  type GenericDataModel,
  type GenericQueryCtx,
  mutationGeneric,
  queryGeneric,
  type RegisteredMutation,
  type RegisteredQuery,
} from 'convex/server'
import { ConvexError, type GenericId, v } from 'convex/values'
import { settings } from '../component/job.ts'
import type { Kinora } from './kinora.ts'
import type { CreateArgs, VideoJob } from './options.ts'

export interface VideoApiOptions<DataModel extends GenericDataModel, UserId extends string> {
  /** Who is signed in, or null. Called in queries and mutations alike. */
  readonly getUserId: (ctx: GenericQueryCtx<DataModel>) => Promise<UserId | null>
}

type CreateRequest = Omit<CreateArgs, 'userId' | 'image' | 'duration' | 'context'> & {
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
  cancel: RegisteredMutation<'public', { jobId: string }, Promise<boolean>>
  remove: RegisteredMutation<'public', { jobId: string }, Promise<boolean>>
}

/** How many jobs `listByUser` shows. */
const NEWEST = 50

export function makeApi<DataModel extends GenericDataModel, UserId extends string, Context>(
  kinora: Kinora<UserId, Context>,
  { getUserId }: VideoApiOptions<DataModel, UserId>,
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
        await signedIn(ctx)
        return ctx.storage.generateUploadUrl()
      },
    }),
    create: mutationGeneric({
      args: {
        sourceImageId: v.id('_storage'),
        prompt: v.optional(v.string()),
        durationSeconds: v.optional(v.number()),
        ...settings.fields,
      },
      handler: async (ctx, { sourceImageId, durationSeconds, ...rest }) =>
        kinora.create(ctx, {
          userId: await signedIn(ctx),
          image: sourceImageId,
          ...(durationSeconds === undefined ? {} : { duration: durationSeconds }),
          ...rest,
        }),
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
    cancel: mutationGeneric({
      args: { jobId: v.string() },
      handler: async (ctx, { jobId }) => kinora.cancel(ctx, jobId, { userId: await signedIn(ctx) }),
    }),
    remove: mutationGeneric({
      args: { jobId: v.string() },
      handler: async (ctx, { jobId }) => kinora.remove(ctx, jobId, { userId: await signedIn(ctx) }),
    }),
  }
}
