/** The lease protocol, from the worker's side: one method for each request, each answer checked. Retrying is the caller's business. */

import {
  ErrorBody,
  explained,
  Heartbeat,
  isRetryableStatus,
  Lease,
  LeaseEnd,
  MAX_LEASE_WAIT,
  parseRetryAfter,
  paths,
  type CompleteRequest,
  type FailRequest,
  type HeartbeatRequest,
  type LeaseRequest,
} from '@kinora/protocol'
import type * as z from 'zod/mini'

export interface LeaseClientOptions {
  /** Where the server is, with the prefix it is mounted under. */
  readonly apiUrl: string
  readonly workerToken: string
  /** @default globalThis.fetch */
  readonly fetch?: typeof globalThis.fetch
  /** Milliseconds a request may take, the claim's waiting not counted. @default 15000 */
  readonly timeout?: number
}

/** The server's answer was no, or none came. */
export class LeaseError extends Error {
  override readonly name = 'LeaseError'
  /** HTTP status; 0 where no answer came. */
  readonly status: number
  /** The server's code, such as `lease_lost`; `unreachable` where no answer came. */
  readonly code: string
  /** Milliseconds the server asks to wait. */
  readonly retryAfter: number | undefined

  constructor(
    message: string,
    details: { status: number; code: string; retryAfter?: number | undefined; cause?: unknown },
  ) {
    super(message, { cause: details.cause })
    this.status = details.status
    this.code = details.code
    this.retryAfter = details.retryAfter
  }

  /** Another try may succeed: no answer, a server in trouble, or too many requests. */
  get retryable(): boolean {
    return this.status === 0 || isRetryableStatus(this.status)
  }

  /** The lease is somebody else's now, or the job is gone. */
  get lost(): boolean {
    return this.status === 409 || this.status === 404 || this.status === 410
  }
}

export interface LeaseClient {
  /** Waits up to `wait` seconds for work. @returns undefined when none came */
  claim(request: LeaseRequest, signal: AbortSignal): Promise<Lease | undefined>
  heartbeat(leaseId: string, request: HeartbeatRequest, signal?: AbortSignal): Promise<Heartbeat>
  complete(leaseId: string, request: CompleteRequest, signal?: AbortSignal): Promise<LeaseEnd>
  fail(leaseId: string, request: FailRequest, signal?: AbortSignal): Promise<LeaseEnd>
  release(leaseId: string, signal?: AbortSignal): Promise<LeaseEnd>
}

/** @throws LeaseError from every method; the signal's reason when aborted */
export function createLeaseClient(options: LeaseClientOptions): LeaseClient {
  const { workerToken, timeout = 15_000, fetch = globalThis.fetch } = options
  const base = options.apiUrl.replace(/\/+$/, '')

  async function post(path: string, body: unknown, milliseconds: number, signal?: AbortSignal): Promise<Response> {
    const limit = AbortSignal.timeout(Math.ceil(milliseconds))
    try {
      return await fetch(base + path, {
        method: 'POST',
        headers: { authorization: `Bearer ${workerToken}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
        signal: signal === undefined ? limit : AbortSignal.any([signal, limit]),
        // A redirect would carry the token to another host.
        redirect: 'error',
      })
    } catch (error) {
      signal?.throwIfAborted()
      throw new LeaseError(`${base} cannot be reached: ${reasonOf(error)}`, {
        status: 0,
        code: 'unreachable',
        cause: error,
      })
    }
  }

  async function ask<T extends z.ZodMiniType>(schema: T, what: string, response: Response): Promise<z.output<T>> {
    const body: unknown = await response.json().catch(() => undefined)
    if (!response.ok) throw refusal(response, body, what, base)
    const parsed = schema.safeParse(body, explained)
    if (parsed.success) return parsed.data
    throw new LeaseError(`${base} answered ${what} with something that is not Kinora's: ${parsed.error.message}`, {
      status: 502,
      code: 'not_kinora',
    })
  }

  return {
    async claim(request, signal) {
      const wait = request.wait ?? MAX_LEASE_WAIT
      const response = await post(paths.leases(), request, wait * 1000 + timeout, signal)
      return response.status === 204 ? undefined : ask(Lease, 'the claim', response)
    },
    heartbeat: async (id, request, signal) =>
      ask(Heartbeat, 'a heartbeat', await post(paths.heartbeat(id), request, timeout, signal)),
    complete: async (id, request, signal) =>
      // The server checks and moves the video before it answers.
      ask(LeaseEnd, 'the completion', await post(paths.complete(id), request, timeout * 4, signal)),
    fail: async (id, request, signal) =>
      ask(LeaseEnd, 'the failure', await post(paths.fail(id), request, timeout, signal)),
    release: async (id, signal) => ask(LeaseEnd, 'the release', await post(paths.release(id), {}, timeout, signal)),
  }
}

function refusal(response: Response, body: unknown, what: string, base: string): LeaseError {
  const parsed = ErrorBody.safeParse(body)
  const words = parsed.success ? parsed.data.error : response.statusText
  return new LeaseError(`${base} refused ${what} with ${response.status}: ${words}`, {
    status: response.status,
    code: parsed.success ? parsed.data.code : 'not_kinora',
    retryAfter: parseRetryAfter(response.headers.get('retry-after')),
  })
}

/** fetch says "fetch failed" and hides the reason in its cause. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { cause } = error
  if (cause instanceof Error) return 'code' in cause && typeof cause.code === 'string' ? cause.code : cause.message
  return error.name === 'TimeoutError' ? 'no answer in time' : error.message
}
