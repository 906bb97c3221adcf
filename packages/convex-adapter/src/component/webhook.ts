/** The server's message that a job has ended: who may send it, what it says, and what the sender is told, so that it repeats it exactly when it should. */
import { verifyWebhookSignature, WEBHOOK_HEADERS, WEBHOOK_TYPES, WebhookVerificationError } from '@kinora/protocol'
import { v } from 'convex/values'
import * as z from 'zod/mini'
import { internal } from './_generated/api.ts'
import { action, type ActionCtx } from './_generated/server.ts'
import { defined } from './defined.ts'
import { readWebhookSecrets } from './environment.ts'

/** A webhook as it arrived. */
export interface Message {
  /** The exact text. */
  readonly body: string
  /** The headers that can prove who sent it; see {@link proofHeaders}. */
  readonly headers: Readonly<Record<string, string>>
  /** `?job=` of the URL it was sent to. */
  readonly jobId?: string
}

export interface Answer {
  readonly status: number
  readonly body: string
  /** Seconds until the sender shall try again. */
  readonly retryAfter?: number
}

const { catch: withDefault } = z

/** What every message has, of whatever kind and version. */
const Envelope = z.object({ type: z.optional(z.string()), status: z.optional(z.string()) })

/** The original fields of a message about a job's end, and beside them what Kinora adds. What is not understood counts as not said. */
const Ending = z.object({
  job_id: z.string(),
  status: z.enum(['completed', 'failed']),
  type: z.optional(z.enum(WEBHOOK_TYPES)),
  video_url: said(z.url()),
  error: said(z.string()),
  data: said(z.object({ poster_url: said(z.url()), error_code: said(z.string()), notices: said(z.array(z.string())) })),
})

function said<T extends z.ZodMiniType>(schema: T) {
  return withDefault(z.optional(schema), undefined)
}

/** Checks a message and applies it. Never throws on what a stranger sends. */
export async function receive(ctx: Pick<ActionCtx, 'runMutation'>, message: Message): Promise<Answer> {
  const secrets = readWebhookSecrets()
  if (secrets.length === 0) {
    return { status: 503, body: 'WEBHOOK_SECRET is not set, so no message can be checked.', retryAfter: 300 }
  }
  const refusal = await refusalOf(message, secrets)
  if (refusal !== undefined) return { status: 401, body: refusal }

  const body = parseJson(message.body)
  const envelope = Envelope.safeParse(body)
  if (!envelope.success || (envelope.data.type ?? envelope.data.status) === undefined) {
    return { status: 400, body: 'The body is not a message about a job.' }
  }
  const ending = Ending.safeParse(body)
  // Of a kind that a newer server sends: what is to be known of it will be asked for.
  if (!ending.success) return { status: 200, body: 'ignored' }
  const { job_id, status, video_url, error, type, data } = ending.data
  const about = { externalJobId: job_id, ...defined({ jobId: message.jobId, notices: data?.notices }) }
  const verdict =
    status === 'completed'
      ? await ctx.runMutation(internal.completion.completeJob, {
          ...about,
          ...(video_url === undefined ? {} : { videoUrl: video_url }),
          ...(data?.poster_url === undefined ? {} : { posterUrl: data.poster_url }),
        })
      : await ctx.runMutation(internal.completion.failJob, {
          ...about,
          canceled: type === 'job.canceled',
          ...(error === undefined ? {} : { error }),
          ...(data?.error_code === undefined ? {} : { code: data.error_code }),
        })
  if (verdict === 'early') {
    return { status: 503, body: 'The job is not on record yet: send this again.', retryAfter: 5 }
  }
  if (verdict === 'unknown') return { status: 404, body: 'There is no such job.' }
  return { status: 200, body: verdict }
}

/** For apps that have the route in their own router: the same, called from there. */
export const receiveWebhook = action({
  args: { body: v.string(), headers: v.record(v.string(), v.string()), jobId: v.optional(v.string()) },
  returns: v.object({ status: v.number(), body: v.string(), retryAfter: v.optional(v.number()) }),
  handler: async (ctx, message): Promise<Answer> => receive(ctx, message),
})

/** Why a message is not believed, or undefined where it is. A signature decides where there is one; the shared secret only where there is none. */
async function refusalOf({ headers, body }: Message, secrets: readonly string[]): Promise<string | undefined> {
  const shared = headers[WEBHOOK_HEADERS.secret]
  if (headers[WEBHOOK_HEADERS.signature] === undefined && shared !== undefined) {
    const matches = await Promise.all(secrets.map((secret) => isEqual(shared, secret)))
    return matches.includes(true) ? undefined : 'The shared secret is wrong.'
  }
  try {
    await verifyWebhookSignature({ headers, body, secret: secrets })
    return undefined
  } catch (error) {
    if (error instanceof WebhookVerificationError) return error.message
    throw error
  }
}

/** Compares without telling by the time it takes how much is right: the signatures of both under a key made for this comparison. */
async function isEqual(given: string, secret: string): Promise<boolean> {
  const text = new TextEncoder()
  const algorithm = { name: 'HMAC', hash: 'SHA-256' }
  const key = await crypto.subtle.importKey('raw', crypto.getRandomValues(new Uint8Array(32)), algorithm, false, [
    'sign',
    'verify',
  ])
  const signature = await crypto.subtle.sign('HMAC', key, text.encode(secret))
  return crypto.subtle.verify('HMAC', key, signature, text.encode(given))
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
