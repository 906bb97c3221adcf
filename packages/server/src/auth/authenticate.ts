/** Who is asking: API keys by default, or the host's own way. */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { Context } from 'hono'

/** Whoever an API key belongs to. Jobs, uploads, lists and signing secrets are a tenant's own. */
export interface Identity {
  readonly tenant: string
}

/**
 * Tells whose request it is; null refuses it with 401.
 * @param context Hono's, for a host that has identified its user already: `(_, context) => ({ tenant: context.get('user').id })`
 */
export type Authenticate = (request: Request, context: Context) => Identity | null | Promise<Identity | null>

export interface ApiKey {
  readonly tenant: string
  readonly key: string
}

/** The tenant of a server with a single key. */
export const DEFAULT_TENANT = 'default'

/** Compares the bearer token with every key, in a time that depends on neither. */
export function createApiKeyAuthentication(keys: readonly ApiKey[]): Authenticate {
  const known = keys.map(({ tenant, key }) => ({ tenant, matches: createSecretCheck(key) }))
  return (request) => {
    const token = bearerToken(request.headers.get('authorization'))
    if (token === null) return null
    let tenant: string | null = null
    for (const candidate of known) {
      if (candidate.matches(token)) tenant = candidate.tenant
    }
    return tenant === null ? null : { tenant }
  }
}

/** A comparison that takes the same time however much of the secret was guessed; hashing hides the length too. */
export function createSecretCheck(secret: string): (given: string) => boolean {
  const wanted = hash(secret)
  return (given) => timingSafeEqual(hash(given), wanted)
}

/** The token of an `Authorization: Bearer` header, or null where there is none. */
export function bearerToken(header: string | null | undefined): string | null {
  return /^Bearer +(\S+) *$/i.exec(header ?? '')?.[1] ?? null
}

function hash(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
