/** The webhook in an app's own router, for apps that do not mount the component. */
import { type GenericActionCtx, type GenericDataModel, httpActionGeneric, type HttpRouter } from 'convex/server'
import type { GenericId } from 'convex/values'
import type { ComponentApi } from '../component/_generated/component.ts'
import type { VideoJob } from '../component/job.ts'
import { toMessage, toResponse } from '../component/request.ts'

/** The path of the original contract. */
export const DEFAULT_WEBHOOK_PATH = '/api/webhooks/video-complete'

export interface RegisterRoutesOptions {
  /** Where the server's messages come in. Default `/api/webhooks/video-complete`. Give `Kinora` the same as `webhookUrl`. */
  readonly path?: string
  /** Adds a route that leads to videos, under links which last as long as the jobs. */
  readonly videos?: VideoRouteOptions
}

export interface VideoRouteOptions {
  /** Where: `/videos/` makes `/videos/<jobId>` lead to the video and `/videos/<jobId>/poster` to its still. */
  readonly path: `/${string}/`
  /**
   * Who may watch: asked for each request, with the job whatever its user. `ctx.auth` knows the user where the request carries a token, as `fetch` can;
   * a `<video>` can not, so look for something in its URL, or at the job itself.
   */
  readonly allow: (
    ctx: GenericActionCtx<GenericDataModel>,
    request: { readonly job: VideoJob; readonly request: Request },
  ) => Promise<boolean> | boolean
}

/**
 * Adds the webhook's route to the app's router.
 *
 * ```ts
 * // convex/http.ts
 * registerRoutes(http, components.kinora, { path: '/hooks/video' })
 * // convex/videos.ts
 * const kinora = new Kinora(components.kinora, { webhookUrl: '/hooks/video' })
 * ```
 */
export function registerRoutes(
  http: HttpRouter,
  component: ComponentApi,
  { path = DEFAULT_WEBHOOK_PATH, videos }: RegisterRoutesOptions = {},
): void {
  if (videos !== undefined) registerVideos(http, component, videos)
  http.route({
    path,
    method: 'POST',
    handler: httpActionGeneric(async (ctx, request) => {
      const message = await toMessage(request)
      return toResponse('status' in message ? message : await ctx.runAction(component.webhook.receiveWebhook, message))
    }),
  })
}

function registerVideos(http: HttpRouter, component: ComponentApi, { path, allow }: VideoRouteOptions): void {
  http.route({
    pathPrefix: path,
    method: 'GET',
    handler: httpActionGeneric(async (ctx, request) => {
      const [jobId = '', part] = new URL(request.url).pathname.slice(path.length).split('/')
      if (part !== undefined && part !== 'poster') return notFound()
      const job = await ctx.runQuery(component.lib.get, { jobId })
      // Whether there is such a job is nobody's business who may not see it.
      if (job === null || job.status !== 'completed' || !(await allow(ctx, { job, request }))) return notFound()
      let link: string | undefined
      try {
        link = await linkTo(ctx, component, job, part === 'poster')
      } catch {
        const headers = { 'retry-after': '10' }
        return new Response('The video cannot be reached at present.', { status: 503, headers })
      }
      // A link is good for a while, but who may see it can change before.
      return link === undefined
        ? notFound()
        : new Response(null, { status: 302, headers: { location: link, 'cache-control': 'private, no-store' } })
    }),
  })
}

/** A link that works now: the copy in the app's storage where there is one, else a fresh one of the server. Throws where that cannot be asked. */
async function linkTo(
  ctx: GenericActionCtx<GenericDataModel>,
  component: ComponentApi,
  job: VideoJob,
  isPoster: boolean,
): Promise<string | undefined> {
  if (!isPoster && job.videoStorageId !== undefined) {
    const copy = await ctx.storage.getUrl(job.videoStorageId as GenericId<'_storage'>)
    if (copy !== null) return copy
  }
  const links = await ctx.runAction(component.links.freshLinks, { jobId: job._id })
  return isPoster ? links?.posterUrl : links?.videoUrl
}

function notFound(): Response {
  return new Response('There is no such video.', { status: 404 })
}
