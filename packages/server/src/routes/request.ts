/** How a request is served: request id, shutdown gate, authorisation, the body's limits, the answer's headers, and one log line. */
import { HEADERS } from '@kinora/protocol'
import type { HonoRequest, MiddlewareHandler } from 'hono'
import { ApiError } from '../api-error.ts'
import type { RouteParts } from './parts.ts'
import type { Route } from './route.ts'
import { checkBody } from '../http/body.ts'
import type { KinoraContext, RequestState } from '../http/context.ts'
import { errorAnswer } from '../http/error-answer.ts'

/**
 * One function for the whole of a route, as each middleware between Hono and a handler costs every request.
 * @param cors adds its headers to the answer
 */
export function serveRoute(
  route: Route,
  parts: RouteParts,
  cors: MiddlewareHandler | undefined,
): (context: KinoraContext) => Promise<Response> {
  return async (context) => {
    const started = performance.now()
    const requestId = sane(context.req.header(HEADERS.requestId)) ?? crypto.randomUUID()
    const state: RequestState = { requestId, logger: parts.logger.child({ request_id: requestId }) }
    context.set('kinora', state)

    const response = await answerOf(route, parts, context, state)
    finish(response.headers, requestId)
    // The rest of a body that was refused is never read, and no further request can follow it on the same connection.
    if (response.status >= 400 && hasUnreadBody(context.req)) response.headers.set('connection', 'close')
    context.res = response
    await cors?.(context, async () => undefined)
    log(route, state, context, performance.now() - started)
    return context.res
  }
}

async function answerOf(
  route: Route,
  parts: RouteParts,
  context: KinoraContext,
  state: RequestState,
): Promise<Response> {
  const leave = parts.gate.enter()
  try {
    if (parts.gate.closing) {
      throw new ApiError('shutting_down', 'The server is shutting down: try again.', { retryAfter: 2 })
    }
    await parts.authorise[route.auth](context, state)
    if (route.auth === 'apiKey' && state.tenant !== undefined) await parts.core.limits.request(state.tenant)
    if (route.maxBodyBytes !== undefined) checkBody(context, route.maxBodyBytes)
    return await route.answer(context, parts)
  } catch (error) {
    const answer = errorAnswer(error, state, context.req.raw.signal.aborted)
    if (parts.gate.closing) answer.headers.set('connection', 'close')
    return answer
  } finally {
    leave()
  }
}

/** What every answer carries. */
function finish(headers: Headers, requestId: string): void {
  headers.set(HEADERS.requestId, requestId)
  headers.set('x-content-type-options', 'nosniff')
  headers.set('referrer-policy', 'no-referrer')
  if (!headers.has('cache-control')) headers.set('cache-control', 'no-store')
}

/** The route's pattern is written, not the path: that may hold a lease's secret. */
function log({ path, chatty = false }: Route, state: RequestState, context: KinoraContext, milliseconds: number): void {
  const { status } = context.res
  const level = status >= 500 ? 'warn' : chatty && status < 400 ? 'debug' : 'info'
  const jobId = state.jobId ?? context.req.param('jobId')
  state.logger[level](
    {
      method: context.req.method,
      route: path,
      status,
      milliseconds: Math.round(milliseconds),
      ...(jobId === undefined ? {} : { job_id: jobId.slice(0, 128) }),
      ...(state.tenant === undefined ? {} : { tenant: state.tenant }),
    },
    'request',
  )
}

function hasUnreadBody(request: HonoRequest): boolean {
  const announced =
    Number(request.header('content-length') ?? 0) > 0 || request.header('transfer-encoding') !== undefined
  return announced && !request.raw.bodyUsed
}

/** A caller's own id is kept when it can do no harm in a log or a header. */
function sane(id: string | undefined): string | undefined {
  return id !== undefined && /^[A-Za-z0-9._:-]{1,128}$/.test(id) ? id : undefined
}
