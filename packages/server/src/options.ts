/** What `createKinora` can be told. */
import type { MiddlewareHandler } from 'hono'
import { cors } from 'hono/cors'
import { HEADERS } from '@kinora/protocol'
import type { Logger } from 'pino'
import { type ApiKey, type Authenticate, createApiKeyAuthentication, DEFAULT_TENANT } from './auth/authenticate.ts'
import type { LimitOptions } from './core.ts'
import type { AllowedNetwork } from './net/index.ts'
import type { Storage } from './storage/index.ts'
import type { StoreDriver } from './stores/store.ts'

export interface KinoraOptions {
  /**
   * The queue and its store.
   * @example embedded({ dataDir: './.kinora' })   // from '@kinora/server/embedded'
   * @example redis({ url: 'redis://localhost' })  // from '@kinora/server/redis'
   */
  readonly store: StoreDriver
  /** Where pictures and videos are kept. Closed with Kinora. Default: files in `dataDir`. */
  readonly storage?: Storage | undefined
  /** The folder of the default storage: objects go to `<dataDir>/storage`. Needed without `storage`. */
  readonly dataDir?: string | undefined
  /**
   * Where Kinora is reached by its users, mount prefix included: `https://example.com/video`. All links begin with it, never with a request's
   * Host. A function where it is known only once the server listens.
   */
  readonly publicUrl: string | (() => string)
  /** Stands before every route, for mounting with `host.route('/', kinora.app)`. With `host.route('/video', kinora.app)` leave it out. */
  readonly basePath?: string | undefined

  /** The only API key there is. One of `apiKey`, `apiKeys` and `authenticate` is needed. */
  readonly apiKey?: string | undefined
  /** Several keys; tenants see only their own jobs. A tenant may have several keys. */
  readonly apiKeys?: readonly ApiKey[] | undefined
  /** Your own way to tell who is asking. */
  readonly authenticate?: Authenticate | undefined
  /** What workers show. Without one no worker is let in. */
  readonly workerToken?: string | undefined
  /** Signs webhooks; each tenant's secret is derived from it. With a single key it is the signing secret itself. */
  readonly webhookSecret: string
  /** Signs instead of `webhookSecret` where there is a single key. */
  readonly webhookSigningSecret?: string | undefined

  /** Public names of the models that jobs may ask for, the default first. Default `['ltx-video', 'camera']`. */
  readonly models?: readonly string[] | undefined
  /** Answers to browsers from other origins. Default false, as a host has its own; `true` allows all origins. */
  readonly cors?: boolean | { readonly origins: readonly string[] } | undefined
  /** Networks beside the public internet where pictures and webhooks may be. Default: none. */
  readonly allowNetworks?: readonly AllowedNetwork[] | undefined
  /** Seconds that ended jobs stay in the queue. Default 24 hours and 7 days. */
  readonly retention?: { readonly completed?: number | undefined; readonly failed?: number | undefined } | undefined
  /** What a tenant may, and what the whole queue takes. Default: 10,000 jobs of a tenant, 100,000 in all, and no other limit. */
  readonly limits?: LimitOptions | undefined
  /** Seconds after which pictures and videos are removed. Default: never. */
  readonly objectTtl?: number | undefined
  /** Seconds a lease lives without a heartbeat. Default 30. */
  readonly leaseSeconds?: number | undefined
  /** Default: pino at level info, to standard output. */
  readonly logger?: Logger | undefined
}

export const DEFAULT_MODELS = ['ltx-video', 'camera'] as const

/** How requests are told apart, and the tenant of a server with a single key. */
export function readAuthentication(options: KinoraOptions): {
  authenticate: Authenticate
  singleTenant: string | undefined
} {
  const { apiKey, apiKeys, authenticate } = options
  const given = [apiKey, apiKeys, authenticate].filter((one) => one !== undefined)
  if (given.length !== 1) {
    throw new TypeError('createKinora needs exactly one of apiKey, apiKeys and authenticate.')
  }
  if (authenticate) return { authenticate, singleTenant: undefined }

  const keys = apiKeys ?? [{ tenant: DEFAULT_TENANT, key: apiKey ?? '' }]
  if (keys.length === 0) throw new TypeError('createKinora: apiKeys is empty, so nobody could ask for anything.')
  for (const { tenant, key } of keys) {
    if (!/^\S{8,}$/.test(key)) {
      throw new TypeError(`createKinora: the API key of "${tenant}" needs at least 8 characters, none of them a space.`)
    }
    if (tenant === '') throw new TypeError('createKinora: an API key has an empty tenant.')
  }
  if (new Set(keys.map(({ key }) => key)).size < keys.length) {
    throw new TypeError('createKinora: the same API key stands there twice.')
  }
  return {
    authenticate: createApiKeyAuthentication(keys),
    singleTenant: keys.length === 1 ? keys[0]!.tenant : undefined,
  }
}

/** `''`, or `/path` without a slash at the end. */
export function readBasePath({ basePath = '', publicUrl }: KinoraOptions): string {
  const path = basePath.replace(/\/+$/, '')
  if (path !== '' && !/^(\/[A-Za-z0-9._~-]+)+$/.test(path)) {
    throw new TypeError(`createKinora: basePath "${basePath}" is not a path such as "/video".`)
  }
  if (path !== '' && typeof publicUrl === 'string' && !new URL(publicUrl).pathname.replace(/\/+$/, '').endsWith(path)) {
    throw new TypeError(
      `createKinora: publicUrl has to end with the basePath: "${publicUrl.replace(/\/+$/, '')}${path}".`,
    )
  }
  return path
}

/** The public address without a slash at the end. Checked at once where it is known. */
export function readPublicUrl({ publicUrl }: KinoraOptions): () => string {
  if (typeof publicUrl === 'function') return () => checkPublicUrl(publicUrl())
  const checked = checkPublicUrl(publicUrl)
  return () => checked
}

function checkPublicUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null
  if (!url || !/^https?:$/.test(url.protocol) || url.search || url.hash || url.username) {
    throw new TypeError(`createKinora: publicUrl "${text}" is not an address such as "https://example.com/video".`)
  }
  return text.replace(/\/+$/, '')
}

export function readCors(option: KinoraOptions['cors']): MiddlewareHandler | undefined {
  if (option === undefined || option === false) return undefined
  const allow = cors({
    origin: option === true ? '*' : [...option.origins],
    allowMethods: ['GET', 'HEAD', 'POST', 'PUT', 'DELETE'],
    allowHeaders: ['authorization', 'content-type', 'range', ...Object.values(HEADERS)],
    exposeHeaders: [
      HEADERS.requestId,
      'retry-after',
      'location',
      'etag',
      'content-range',
      'accept-ranges',
      'idempotent-replayed',
    ],
    maxAge: 600,
  })
  return async (context, next) => {
    if (context.req.method === 'OPTIONS') return allow(context, next)
    // Onto the answer that is there: set before it, the headers would cost a copy of it through a stream.
    await next()
    await allow(context, async () => undefined)
  }
}
