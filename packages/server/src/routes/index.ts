/** All routes on one app that touches nothing but its own paths. */
import { Hono, type MiddlewareHandler } from 'hono'
import { ApiError } from '../api-error.ts'
import type { KinoraEnv } from '../http/context.ts'
import { errorAnswer } from '../http/error-answer.ts'
import { requestMiddleware } from '../http/request.ts'
import { STORAGE_PATH } from '../storage/index.ts'
import { eventRoutes } from './events.ts'
import { generateRoutes } from './generate.ts'
import { healthRoutes } from './health.ts'
import { jobRoutes } from './jobs.ts'
import { leaseRoutes } from './leases.ts'
import { modelRoutes } from './models.ts'
import { objectRoutes } from './objects.ts'
import { openapiRoutes } from './openapi.ts'
import type { KinoraApp, RouteParts } from './parts.ts'
import { uploadRoutes } from './uploads.ts'
import { webhookRoutes } from './webhooks.ts'

/** Every path that is ours. Middleware goes on these one by one: on `*` it would act on a host's routes as well. */
const PATTERNS = [
  '/health',
  '/openapi.json',
  '/webhook/complete',
  '/api/v1/generate',
  '/api/v1/models',
  '/api/v1/jobs',
  '/api/v1/jobs/:jobId',
  '/api/v1/jobs/:jobId/cancel',
  '/api/v1/jobs/:jobId/video',
  '/api/v1/jobs/:jobId/events',
  '/api/v1/events',
  '/api/v1/uploads',
  '/api/v1/presign/upload',
  '/api/v1/presign/download/:jobId',
  '/api/v1/webhook-secret',
  '/api/v1/leases',
  '/api/v1/leases/:leaseId/heartbeat',
  '/api/v1/leases/:leaseId/complete',
  '/api/v1/leases/:leaseId/fail',
  '/api/v1/leases/:leaseId/release',
  `${STORAGE_PATH}/*`,
] as const

export interface AppOptions {
  readonly basePath: string
  /** Undefined: no CORS headers, and no answers to preflights. */
  readonly cors: MiddlewareHandler | undefined
  readonly version: string
}

export function createRoutes(parts: RouteParts, { basePath, cors, version }: AppOptions): Hono {
  const app: KinoraApp = new Hono<KinoraEnv>()
  app.onError((error, context) => errorAnswer(error, context.get('kinora'), context.req.raw.signal.aborted))
  for (const pattern of PATTERNS) {
    if (cors) app.use(pattern, cors)
    app.use(pattern, requestMiddleware(pattern, parts))
  }
  for (const routes of [
    generateRoutes,
    jobRoutes,
    eventRoutes,
    uploadRoutes,
    webhookRoutes,
    leaseRoutes,
    modelRoutes,
    healthRoutes,
    objectRoutes,
  ]) {
    routes(app, parts)
  }
  openapiRoutes(app, parts, version)

  // `route` copies routes and leaves a sub-app's notFound behind, so this one answers only where Kinora is the whole server.
  const outer = new Hono()
  outer.route(basePath || '/', app)
  outer.notFound(async (context) => {
    const state = { requestId: crypto.randomUUID(), logger: parts.logger }
    const preflight = await cors?.(context, async () => undefined)
    if (preflight) return preflight
    const isApi = context.req.path.startsWith(`${basePath}/api/`)
    if (isApi && !(await parts.authenticate(context.req.raw, context))) {
      const given = context.req.header('authorization')?.startsWith('Bearer ')
      return errorAnswer(
        new ApiError('unauthorized', given ? 'Invalid API key' : 'Missing authorization header'),
        state,
      )
    }
    return errorAnswer(new ApiError('not_found', 'Not found'), state)
  })
  return outer
}
