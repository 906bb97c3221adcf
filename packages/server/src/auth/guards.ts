/** Lets tenants, workers and the original webhook's senders in, each by their own secret. */
import { WEBHOOK_HEADERS } from '@kinora/protocol'
import type { Context } from 'hono'
import { ApiError } from '../api-error.ts'
import type { WebhookSecrets } from '../core.ts'
import type { RequestState } from '../http/context.ts'
import { type Authenticate, bearerToken, createSecretCheck } from './authenticate.ts'

/** What opens a route: a tenant's API key, the workers' token, the secret of `/webhook/complete`, or nothing. */
export type Auth = 'apiKey' | 'workerToken' | 'webhookSecret' | 'none'

/** Passes and notes whose request it is, or throws `unauthorized` in the original contract's words. */
export type Guard = (context: Context, state: RequestState) => Promise<void>

const MISSING = 'Missing authorization header'

export interface GuardOptions {
  readonly authenticate: Authenticate
  /** Without one, no worker is let in. */
  readonly workerToken: string | undefined
  readonly webhookSecrets: WebhookSecrets
}

/** A guard for each kind of authorisation that a route can ask for. */
export function createGuards({ authenticate, workerToken, webhookSecrets }: GuardOptions): Record<Auth, Guard> {
  const isWorker = workerToken === undefined ? () => false : createSecretCheck(workerToken)
  return {
    none: async () => undefined,

    async apiKey(context, state) {
      const identity = await authenticate(context.req.raw, context)
      if (!identity) {
        const token = bearerToken(context.req.header('authorization'))
        throw new ApiError('unauthorized', token === null ? MISSING : 'Invalid API key')
      }
      if (typeof identity.tenant !== 'string' || identity.tenant === '') {
        throw new Error('authenticate() answered without a tenant: it has to be a text that is not empty.')
      }
      state.tenant = identity.tenant
    },

    async workerToken(context) {
      const token = bearerToken(context.req.header('authorization'))
      if (token === null) throw new ApiError('unauthorized', MISSING)
      if (!isWorker(token)) throw new ApiError('unauthorized', 'Invalid worker token')
    },

    async webhookSecret(context) {
      const secret = context.req.header(WEBHOOK_HEADERS.secret) ?? ''
      if (!webhookSecrets.opensWebhookComplete(secret)) throw new ApiError('unauthorized', 'Unauthorized')
    },
  }
}
