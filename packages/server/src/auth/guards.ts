/** Lets tenants and workers in, each by their own door. */
import type { MiddlewareHandler } from 'hono'
import { ApiError } from '../api-error.ts'
import type { KinoraEnv } from '../http/context.ts'
import { type Authenticate, bearerToken, createSecretCheck } from './authenticate.ts'

const MISSING = 'Missing authorization header'

/** @throws ApiError `unauthorized`, in the original contract's words */
export function requireTenant(authenticate: Authenticate): MiddlewareHandler<KinoraEnv> {
  return async (context, next) => {
    const identity = await authenticate(context.req.raw, context)
    if (!identity) {
      const token = bearerToken(context.req.header('authorization'))
      throw new ApiError('unauthorized', token === null ? MISSING : 'Invalid API key')
    }
    if (typeof identity.tenant !== 'string' || identity.tenant === '') {
      throw new Error('authenticate() answered without a tenant: it has to be a text that is not empty.')
    }
    context.get('kinora').tenant = identity.tenant
    await next()
  }
}

/** @throws ApiError `unauthorized` */
export function requireWorker(workerToken: string | undefined): MiddlewareHandler<KinoraEnv> {
  const matches = workerToken === undefined ? () => false : createSecretCheck(workerToken)
  return async (context, next) => {
    const token = bearerToken(context.req.header('authorization'))
    if (token === null) throw new ApiError('unauthorized', MISSING)
    if (!matches(token)) throw new ApiError('unauthorized', 'Invalid worker token')
    await next()
  }
}
