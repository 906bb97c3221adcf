/**
 * What the server's answers are read with. The SDK checks the few fields its own code relies on, not every field by schema: an answer of a newer
 * server stays readable, and zod stays out of the bundle (docs/decisions/0060).
 */
import { HEADERS, type Job, JOB_STATUSES, type JobList, parseRetryAfter } from '@kinora/protocol'
import { ApiError, type ErrorContext, UnexpectedResponseError } from './errors.ts'

type Fields = Readonly<Record<string, unknown>>

export const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null

export function isJob(value: unknown): value is Job {
  return (
    isFields(value) && typeof value.job_id === 'string' && (JOB_STATUSES as readonly unknown[]).includes(value.status)
  )
}

export function isJobList(value: unknown): value is JobList {
  return (
    isFields(value) &&
    Array.isArray(value.jobs) &&
    value.jobs.every(isJob) &&
    (value.next_cursor === null || typeof value.next_cursor === 'string')
  )
}

/** An object that has these fields as texts. */
export function hasTexts<Name extends string>(...names: Name[]): (value: unknown) => value is Record<Name, string> {
  return (value): value is Record<Name, string> =>
    isFields(value) && names.every((name) => typeof value[name] === 'string')
}

/** JSON, or undefined where it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The body of a good answer. `what` names the request: "GET /api/v1/jobs/x". */
export async function readAnswer<T>(
  response: Response,
  guard: (value: unknown) => value is T,
  what: string,
  context: ErrorContext,
): Promise<T> {
  const text = await response.text()
  const value = parseJson(text)
  if (guard(value)) return value
  throw new UnexpectedResponseError(
    `${what} was answered with ${describe(response, text)}, which is not what a Kinora server says. Check baseUrl and what stands before the server.`,
    response.status,
    { ...context, requestId: requestId(response) },
  )
}

/** The error that an answer outside 2xx means. */
export async function readError(response: Response, what: string, context: ErrorContext): Promise<ApiError> {
  const { status, headers } = response
  const text = await response.text().catch(() => '')
  const body = parseJson(text)
  const details = {
    ...context,
    status,
    requestId: requestId(response),
    retryAfter: parseRetryAfter(headers.get('retry-after')),
  }
  if (!isFields(body) || typeof body.error !== 'string') {
    return new ApiError(`http_${status}`, `${what} was answered with ${describe(response, text)}.`, details)
  }
  if (typeof body.request_id === 'string') details.requestId ??= body.request_id
  const code = typeof body.code === 'string' ? body.code : `http_${status}`
  const issues = Array.isArray(body.issues) ? body.issues.filter(hasTexts('path', 'message')) : []
  const unsaid = issues.filter((issue) => !String(body.error).includes(issue.message))
  const message = [body.error, ...unsaid.map((issue) => `${issue.path} ${issue.message}`.trim())].join('; ')
  const request = details.requestId === undefined ? '' : `, request ${details.requestId}`
  return new ApiError(code, `${message} (${status} ${code}, ${what}${request})`, { ...details, issues })
}

/** A page that is not ours, in a few words: `502 (text/html) "Bad Gateway"`. */
function describe({ status, headers }: Response, text: string): string {
  const type = headers.get('content-type')?.split(';')[0] ?? 'no content type'
  // An HTML page's title, an S3 error's code and message, else the beginning of the text.
  const said =
    /<title[^>]*>([^<]*)/i.exec(text)?.[1] ??
    text
      .replace(
        /<\?[^>]*>|<(RequestId|HostId|StringToSign|CanonicalRequest|SignatureProvided|AWSAccessKeyId)\b[\s\S]*$/gi,
        '',
      )
      .replace(/<[^>]*>/g, ' ')
  const words = said.replace(/\s+/g, ' ').trim().slice(0, 120)
  return `${status} (${type})${words === '' ? '' : ` "${words}"`}`
}

function requestId(response: Response): string | undefined {
  return response.headers.get(HEADERS.requestId) ?? undefined
}
