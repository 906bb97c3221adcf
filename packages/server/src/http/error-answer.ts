/** Every refusal has one shape: the protocol's ErrorBody. */
import { ERROR_STATUS, type ErrorBody, HEADERS } from '@kinora/protocol'
import { HTTPException } from 'hono/http-exception'
import { ApiError } from '../api-error.ts'
import { ImageError } from '../images/index.ts'
import { StorageError } from '../storage/index.ts'
import type { RequestState } from './context.ts'

/** The answer to a request that ended in an error; what is not the caller's business stays in the log. */
export function errorAnswer(error: unknown, { requestId, logger }: RequestState, clientGone = false): Response {
  const refusal = toApiError(error)
  if (!refusal) {
    // Reading a body fails when its sender goes away. Nobody hears the answer, and nothing is wrong here.
    if (clientGone) logger.debug({ err: error }, 'the client went away')
    else logger.error({ err: error }, 'unexpected error')
    return answer(500, { error: 'Internal server error', code: 'internal_error', request_id: requestId })
  }
  if (refusal.status >= 500) logger.warn({ err: refusal }, refusal.message)
  const body: ErrorBody = {
    error: refusal.message,
    code: refusal.code,
    ...(refusal.issues ? { issues: [...refusal.issues] } : {}),
    request_id: requestId,
  }
  const waits = refusal.status === 503 || refusal.status === 429
  return answer(refusal.status, body, waits ? { 'retry-after': String(Math.ceil(refusal.retryAfter ?? 5)) } : {})
}

function toApiError(error: unknown): ApiError | null {
  if (error instanceof ApiError) return error
  if (error instanceof ImageError) {
    return new ApiError('invalid_request', error.message, { issues: [{ path: 'image', message: error.message }] })
  }
  if (error instanceof StorageError && error.retryable) {
    return new ApiError('storage_unavailable', 'The storage cannot be reached: try again soon.', { cause: error })
  }
  if (error instanceof HTTPException) {
    const code = (Object.keys(ERROR_STATUS) as (keyof typeof ERROR_STATUS)[]).find(
      (name) => ERROR_STATUS[name] === error.status,
    )
    return code && error.status < 500 ? new ApiError(code, error.message || 'The request is not valid.') : null
  }
  return null
}

function answer(status: number, body: ErrorBody, headers: Record<string, string> = {}): Response {
  return Response.json(body, { status, headers: { ...headers, [HEADERS.requestId]: body.request_id ?? '' } })
}
