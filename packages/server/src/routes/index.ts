/** All routes on one app that touches nothing but its own paths. */
import { type Context, Hono, type MiddlewareHandler } from 'hono'
import { ApiError } from '../api-error.ts'
import type { KinoraEnv, RequestState } from '../http/context.ts'
import { errorAnswer } from '../http/error-answer.ts'
import { serveRoute } from './request.ts'
import type { RouteParts } from './parts.ts'
import { ROUTES } from './table.ts'
import { wrongMethods } from './wrong-method.ts'

export interface AppOptions {
  readonly basePath: string
  /** Undefined: no CORS headers, and no answers to preflights. */
  readonly cors: MiddlewareHandler | undefined
}

export function createRoutes(parts: RouteParts, { basePath, cors }: AppOptions): Hono {
  const app = new Hono<KinoraEnv>()
  for (const route of ROUTES) app.on(route.method.toUpperCase(), route.path, serveRoute(route, parts, cors))
  for (const { methods, route } of wrongMethods(ROUTES)) {
    if (cors) app.options(route.path, cors)
    app.on([...methods], route.path, serveRoute(route, parts, cors))
  }

  // `route` copies routes and leaves a sub-app's notFound behind, so this one answers only where Kinora is the whole server.
  const outer = new Hono()
  outer.route(basePath || '/', app)
  outer.notFound(async (context) => (await cors?.(context, async () => undefined)) ?? notFound(context))

  async function notFound(context: Context): Promise<Response> {
    const state: RequestState = { requestId: crypto.randomUUID(), logger: parts.logger }
    try {
      if (context.req.path.startsWith(`${basePath}/api/`)) await parts.authorise.apiKey(context, state)
      throw new ApiError('not_found', 'Not found')
    } catch (error) {
      return errorAnswer(error, state)
    }
  }
  return outer
}
