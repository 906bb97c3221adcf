/** The middleware of every route: request id, log line, headers, and the door that closes. */
import { HEADERS } from '@kinora/protocol'
import type { HonoRequest, MiddlewareHandler } from 'hono'
import type { Logger } from 'pino'
import { ApiError } from '../api-error.ts'
import type { KinoraEnv, RequestState } from './context.ts'
import { errorAnswer } from './error-answer.ts'
import type { Gate } from './gate.ts'

/** Asked for again and again: worth a line only when something is wrong. */
const CHATTY = /^\/(health|storage|api\/v1\/leases)/

/** @param route the route's pattern: what is logged, as the path itself may hold a lease's secret */
export function requestMiddleware(
  route: string,
  { gate, logger }: { gate: Gate; logger: Logger },
): MiddlewareHandler<KinoraEnv> {
  return async (context, next) => {
    const started = performance.now()
    const requestId = sane(context.req.header(HEADERS.requestId)) ?? crypto.randomUUID()
    const state: RequestState = { requestId, logger: logger.child({ request_id: requestId }) }
    context.set('kinora', state)

    const leave = gate.enter()
    try {
      if (gate.closing) {
        context.res = errorAnswer(
          new ApiError('shutting_down', 'The server is shutting down: try again.', { retryAfter: 2 }),
          state,
        )
        context.res.headers.set('connection', 'close')
      } else {
        await next()
      }
    } finally {
      leave()
    }

    // Set on the answer as it is: `context.header` would make a new one of its body's stream each time.
    const { headers, status } = context.res
    headers.set(HEADERS.requestId, requestId)
    headers.set('x-content-type-options', 'nosniff')
    headers.set('referrer-policy', 'no-referrer')
    if (!headers.has('cache-control')) headers.set('cache-control', 'no-store')

    // The rest of a body that was refused is never read, and no further request can follow it on the same connection.
    if (status >= 400 && hasUnreadBody(context.req)) headers.set('connection', 'close')
    const level = status >= 500 ? 'warn' : CHATTY.test(route) && status < 400 ? 'debug' : 'info'
    const jobId = state.jobId ?? context.req.param('jobId')
    state.logger[level](
      {
        method: context.req.method,
        route,
        status,
        milliseconds: Math.round(performance.now() - started),
        ...(jobId === undefined ? {} : { job_id: jobId.slice(0, 128) }),
        ...(state.tenant === undefined ? {} : { tenant: state.tenant }),
      },
      'request',
    )
  }
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
