/**
 * Requests that did not succeed: which of them may succeed later, and what somebody has to do about it.
 *
 * Only the server's own words end a job. Whatever may pass (a key that is being changed, a proxy's page during a deploy, a server that is down or
 * full) is tried again.
 */
import { ErrorBody, parseRetryAfter } from '@kinora/protocol'
import { type Infer, v } from 'convex/values'
import { SetupError } from './environment.ts'

/** What kind of failure it is, as far as the way out of it differs. Each is said once in the log. */
export const refusalKind = v.union(
  v.literal('unauthorized'),
  v.literal('forbidden'),
  v.literal('rate_limited'),
  v.literal('server_error'),
  v.literal('redirected'),
  v.literal('foreign'),
  v.literal('unreachable'),
  v.literal('unset'),
)
export type RefusalKind = Infer<typeof refusalKind>

/** What to do about each kind. */
export const REMEDIES: Readonly<Record<RefusalKind, string>> = {
  unauthorized: 'If the key was changed on the server, set the new one: "npx convex env set VIDEO_API_KEY …".',
  forbidden:
    'Something in front of the server, such as a firewall or an access list, forbids the request: let Convex through.',
  rate_limited: 'The server asks to wait: nothing is to be done, unless this goes on; then raise its limits.',
  server_error: 'The server, or the proxy in front of it, is in trouble: look into its log.',
  redirected: 'VIDEO_API_URL leads somewhere else: set it to the address it redirects to.',
  foreign:
    'A Kinora server does not answer so. During a deploy this passes; if it goes on, look at the proxy in front of it.',
  unreachable: 'Check that the server runs, and that VIDEO_API_URL can be reached from Convex.',
  unset: 'The app passes it in convex.config.ts.',
}

/** A failed request, and whether the same one may succeed later. */
export class ServerError extends Error {
  override readonly name = 'ServerError'
  /** For programs: the server's own code, or ours where it had none. */
  readonly code: string
  /** Undefined for a permanent answer of the server itself. */
  readonly kind: RefusalKind | undefined
  /** Milliseconds that the server asked to wait; 0 where it did not. */
  readonly retryAfter: number
  /** Whether the request certainly changed nothing: false where its answer got lost or came from in between. */
  readonly untaken: boolean

  constructor(
    message: string,
    details: { code: string; kind?: RefusalKind; retryAfter?: number; untaken?: boolean; cause?: unknown },
  ) {
    super(message, { cause: details.cause })
    this.code = details.code
    this.kind = details.kind
    this.retryAfter = details.retryAfter ?? 0
    this.untaken = details.untaken ?? false
  }
}

/** What of an error goes on to the mutation that decides what follows. */
export const failure = v.object({
  message: v.string(),
  code: v.string(),
  /** Undefined for what no other attempt would mend. */
  kind: v.optional(refusalKind),
  retryAfter: v.number(),
  untaken: v.boolean(),
})
export type Failure = Infer<typeof failure>

export function toFailure(error: unknown): Failure {
  const message = error instanceof Error ? error.message : String(error)
  if (error instanceof ServerError) {
    const { code, retryAfter, untaken, kind } = error
    return { message, code, retryAfter, untaken, ...(kind === undefined ? {} : { kind }) }
  }
  // What nobody foresaw may pass, too, and may have come after the server took the job.
  const isUnset = error instanceof SetupError
  return {
    message,
    code: isUnset ? 'not_set_up' : 'submission_failed',
    kind: isUnset ? 'unset' : 'unreachable',
    retryAfter: 0,
    untaken: isUnset,
  }
}

/** The error of an answer that is not 2xx. */
export async function toServerError(response: Response): Promise<ServerError> {
  const body = ErrorBody.safeParse(await response.json().catch(() => undefined))
  const { status } = response
  const kind = kindOf(status, body.success)
  const code = body.data?.code ?? `http_${status}`
  const issues = body.data?.issues?.map(({ path, message }) => (path ? `${path}: ${message}` : message)).join('; ')
  const words = issues || body.data?.error || `HTTP ${status}`
  return new ServerError(words + hintFor(response, code), {
    code,
    retryAfter: parseRetryAfter(response.headers.get('retry-after')) ?? 0,
    // A 5xx may come after the job was taken, and a proxy may answer for a server that has taken it.
    untaken: body.success && status < 500,
    ...(kind === undefined ? {} : { kind }),
  })
}

function kindOf(status: number, isKinora: boolean): RefusalKind | undefined {
  if (status === 401) return 'unauthorized'
  if (status === 403) return 'forbidden'
  if (status === 429) return 'rate_limited'
  if (status >= 500 || status === 408 || status === 425) return 'server_error'
  if (status >= 300 && status < 400) return 'redirected'
  return isKinora ? undefined : 'foreign'
}

function hintFor(response: Response, code: string): string {
  if (response.status === 401) return ': check VIDEO_API_KEY.'
  const location = response.headers.get('location')
  if (location !== null && response.status < 400) return `: it redirects to ${location}.`
  return code === 'not_found' || code === 'http_404' ? ': check VIDEO_API_URL.' : ''
}
