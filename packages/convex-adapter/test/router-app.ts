/** An app that has the webhook in its own router and uses what the example does not: events, context, types of its own. */
import { Kinora, registerRoutes, storeVideoAction, type VideoJob, vOnCompleteFor, vOnEventFor } from '@kinora/convex'
import type { ComponentApi } from '@kinora/convex/_generated/component.js'
import { register } from '@kinora/convex/test'
import { convexTest } from 'convex-test'
import {
  componentsGeneric,
  defineSchema,
  defineTable,
  httpRouter,
  internalMutationGeneric,
  makeFunctionReference,
  mutationGeneric,
  queryGeneric,
} from 'convex/server'
import { type GenericId, type Infer, v } from 'convex/values'
import { vi } from 'vitest'

const schema = defineSchema({
  users: defineTable({ name: v.string() }),
  log: defineTable({ type: v.string(), userId: v.id('users'), album: v.string(), videoUrl: v.optional(v.string()) }),
})

// What the code generator writes for an app with this component.
const components = componentsGeneric() as unknown as { kinora: ComponentApi<'kinora'> }
const own = { userId: v.id('users'), context: v.object({ album: v.string() }) }
type Context = { album: string }
const onComplete = vOnCompleteFor(own)
const onEvent = vOnEventFor(own)

/** The app's functions, as its own code generator would name them. */
export const videos = {
  make: makeFunctionReference<'mutation', { userId: GenericId<'users'>; image: string; album: string }, string>(
    'videos:make',
  ),
  look: makeFunctionReference<'query', { jobId: string }, VideoJob<GenericId<'users'>, Context> | null>('videos:look'),
  stop: makeFunctionReference<'mutation', { jobId: string }, boolean>('videos:stop'),
  discard: makeFunctionReference<'mutation', { jobId: string }, boolean>('videos:discard'),
  log: makeFunctionReference<
    'query',
    Record<string, never>,
    { type: string; userId: GenericId<'users'>; album: string; videoUrl?: string }[]
  >('videos:log'),
}

const storeVideo = storeVideoAction(components.kinora, { maxBytes: 100 * 1024 * 1024 })

const completed = internalMutationGeneric({
  args: onComplete,
  handler: async (ctx, { job }) => {
    // Written before the app's mistake shows, so that a test can see it undone.
    if (job.context.album === 'broken' && process.env.MENDED !== 'yes') {
      await ctx.db.insert('log', { type: 'half written', userId: job.userId, album: job.context.album })
      throw new Error('The album is broken.')
    }
    // The app's own types arrive here: a user's id is one, and the context has its fields.
    const user: { name: string } | null = await ctx.db.get(job.userId)
    if (user === null) throw new Error('There is no such user.')
    const { userId, context, outputVideoUrl } = job
    await ctx.db.insert('log', {
      type: `onComplete ${job.status}`,
      userId,
      album: context.album,
      ...(outputVideoUrl === undefined ? {} : { videoUrl: outputVideoUrl }),
    })
  },
})

const happened = internalMutationGeneric({
  args: onEvent,
  handler: async (ctx, { type, job }) => {
    await ctx.db.insert('log', { type, userId: job.userId, album: job.context.album })
  },
})

export interface RouterAppOptions {
  readonly webhookUrl?: string
  readonly imageDelivery?: 'auto' | 'url' | 'bytes'
  readonly storeVideo?: boolean
}

/** @param env VIDEO_API_URL and so on */
export function startRouterApp(env: Record<string, string>, options: RouterAppOptions = {}) {
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value)
  const { storeVideo: stores, ...rest } = options
  const kinora: Kinora<GenericId<'users'>, Context> = new Kinora(components.kinora, {
    onComplete: makeFunctionReference<'mutation', Infer<typeof onComplete>>('videos:completed'),
    onEvent: makeFunctionReference<'mutation', Infer<typeof onEvent>>('videos:happened'),
    ...(stores
      ? {
          storeVideo: makeFunctionReference<'action', { jobId: string; url: string; attempt: number }>(
            'videos:storeVideo',
          ),
        }
      : {}),
    ...rest,
  })
  const functions = {
    completed,
    happened,
    storeVideo,
    make: mutationGeneric({
      args: { userId: v.id('users'), image: v.string(), album: v.string() },
      handler: async (ctx, { userId, image, album }) =>
        kinora.create(ctx, { userId, image, prompt: 'slow zoom', duration: 1, model: 'camera', context: { album } }),
    }),
    look: queryGeneric({
      args: { jobId: v.string() },
      handler: async (ctx, { jobId }) => kinora.get(ctx, jobId, { any: true }),
    }),
    stop: mutationGeneric({
      args: { jobId: v.string() },
      handler: async (ctx, { jobId }) => kinora.cancel(ctx, jobId, { any: true }),
    }),
    discard: mutationGeneric({
      args: { jobId: v.string() },
      handler: async (ctx, { jobId }) => kinora.remove(ctx, jobId, { any: true }),
    }),
    log: queryGeneric({ args: {}, handler: async (ctx) => ctx.db.query('log').collect() }),
  }
  const http = httpRouter()
  registerRoutes(http, components.kinora, {
    path: '/hooks/video',
    videos: {
      path: '/watch/',
      allow: async (ctx, { job, request }) => {
        const user = await ctx.auth.getUserIdentity()
        return user?.subject === job.userId || new URL(request.url).searchParams.get('pass') === 'let-me-in'
      },
    },
  })

  const t = convexTest({
    schema,
    modules: {
      '/convex/_generated/api.js': async () => ({}),
      '/convex/videos.ts': async () => functions,
      '/convex/http.ts': async () => ({ default: http }),
    },
  })
  register(t)
  return t
}
