/** The server's environment as plain settings. Nothing is opened or loaded here. */
import type { ApiKey } from '../auth/authenticate.ts'
import type { LimitOptions } from '../core.ts'
import { type AllowedNetwork, createAddressCheck } from '../net/address.ts'
import type { S3StorageOptions } from '../storage/s3/s3-storage.ts'
import { createReader, type Environment, type Reader } from './values.ts'

export type QueueSettings =
  | { readonly kind: 'redis'; readonly url: string; readonly historyUrl: string | undefined }
  | { readonly kind: 'postgres'; readonly url: string }
  | { readonly kind: 'embedded'; readonly dataDir: string }

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const

export interface ServerSettings {
  readonly production: boolean
  readonly port: number
  readonly host: string
  readonly publicUrl: string | undefined
  readonly dataDir: string
  readonly apiKey: string | undefined
  readonly apiKeys: readonly ApiKey[] | undefined
  readonly webhookSecret: string
  readonly webhookSigningSecret: string | undefined
  readonly workerToken: string
  readonly queue: QueueSettings
  /** Undefined: files in the data folder. */
  readonly s3: S3StorageOptions | undefined
  readonly models: readonly string[]
  readonly allowNetworks: readonly AllowedNetwork[]
  readonly objectTtl: number | undefined
  readonly retention: { readonly completed: number | undefined; readonly failed: number | undefined }
  /** Undefined: the server's own, 30. */
  readonly leaseSeconds: number | undefined
  readonly limits: LimitOptions
  readonly logLevel: (typeof LOG_LEVELS)[number]
}

/** What `kinora dev` takes where nothing is said; secrets and data folder come from the command. */
export const DEV_DEFAULTS: Environment = {
  HOST: '127.0.0.1',
  MODELS: 'camera,ltx-video',
  ALLOW_PRIVATE_NETWORK: 'loopback',
}

/**
 * Reads the variables of the table in docs/server.md. An empty one counts as not set.
 *
 * @param defaults stand in for variables that are not set: {@link DEV_DEFAULTS}, made-up secrets
 * @throws EnvironmentError naming everything that is missing or invalid, in one line
 */
export function readServerSettings(environment: Environment, defaults: Environment = {}): ServerSettings {
  const read = createReader(environment, defaults)
  const production = read.text('NODE_ENV') === 'production'

  const publicUrl = read.url('PUBLIC_URL', ['https', 'http'])
  if (production && read.text('PUBLIC_URL') === undefined) read.missing('PUBLIC_URL')

  const settings: ServerSettings = {
    production,
    port: read.integer('PORT', 3000, { min: 0, max: 65_535 }),
    host: read.text('HOST') ?? '0.0.0.0',
    publicUrl,
    dataDir: read.text('DATA_DIR') ?? './.kinora',
    ...readKeys(read),
    webhookSecret: read.required('WEBHOOK_SECRET'),
    webhookSigningSecret: read.text('WEBHOOK_SIGNING_SECRET'),
    workerToken: read.required('WORKER_TOKEN'),
    queue: readQueue(read, production),
    s3: readS3(read, production),
    models: readModels(read),
    allowNetworks: readNetworks(read),
    objectTtl: read.duration('OBJECT_TTL'),
    retention: { completed: read.duration('JOB_RETENTION_COMPLETED'), failed: read.duration('JOB_RETENTION_FAILED') },
    leaseSeconds: read.duration('LEASE_SECONDS'),
    limits: readLimits(read),
    logLevel: read.oneOf('LOG_LEVEL', LOG_LEVELS, 'info'),
  }
  read.finish()
  return settings
}

function readLimits(read: Reader): LimitOptions {
  const limit = (name: string, fallback: number): number =>
    read.integer(name, fallback, { min: 0, max: Number.MAX_SAFE_INTEGER })
  return {
    queued: limit('LIMIT_QUEUED', 10_000),
    running: limit('LIMIT_RUNNING', 0),
    requestsPerMinute: limit('LIMIT_REQUESTS_PER_MINUTE', 0),
    bytesPerDay: limit('LIMIT_BYTES_PER_DAY', 0),
    queueTotal: limit('LIMIT_QUEUE_TOTAL', 100_000),
  }
}

function readKeys(read: Reader): { apiKey: string | undefined; apiKeys: ApiKey[] | undefined } {
  const apiKey = read.text('API_KEY')
  const pairs = read.list('API_KEYS')
  if (pairs.length === 0) {
    if (apiKey === undefined) read.missing('API_KEY (or API_KEYS)')
    else if (!isKey(apiKey)) read.invalid('API_KEY (give at least 8 characters, none of them a space)')
    return { apiKey, apiKeys: undefined }
  }
  const apiKeys = pairs.map((pair) => {
    const colon = pair.indexOf(':')
    return { tenant: pair.slice(0, Math.max(colon, 0)), key: pair.slice(colon + 1) }
  })
  if (apiKeys.some(({ tenant, key }) => tenant === '' || !isKey(key))) {
    read.invalid('API_KEYS (give tenant:key,tenant:key with keys of at least 8 characters)')
  } else if (new Set(apiKeys.map(({ key }) => key)).size < apiKeys.length) {
    read.invalid('API_KEYS (the same key stands there twice)')
  }
  return { apiKey: undefined, apiKeys }
}

function isKey(key: string): boolean {
  return /^\S{8,}$/.test(key)
}

function readQueue(read: Reader, production: boolean): QueueSettings {
  const redisUrl = read.url('REDIS_URL', ['redis', 'rediss'])
  const databaseUrl = read.url('DATABASE_URL', ['postgres', 'postgresql'])
  if (redisUrl !== undefined) return { kind: 'redis', url: redisUrl, historyUrl: databaseUrl }
  if (databaseUrl !== undefined) return { kind: 'postgres', url: databaseUrl }
  const named = read.text('REDIS_URL') ?? read.text('DATABASE_URL') ?? read.text('DATA_DIR')
  if (production && named === undefined) read.missing('REDIS_URL or DATABASE_URL or DATA_DIR')
  return { kind: 'embedded', dataDir: read.text('DATA_DIR') ?? './.kinora' }
}

function readS3(read: Reader, production: boolean): S3StorageOptions | undefined {
  const [endpoint, accessKeyId, secretAccessKey, bucket] = ['ENDPOINT', 'ACCESS_KEY', 'SECRET_KEY', 'BUCKET'].map(
    (name) => read.text(`R2_${name}`, `S3_${name}`),
  )
  const region = read.text('S3_REGION')
  if ([endpoint, accessKeyId, secretAccessKey, bucket].every((one) => one === undefined)) {
    const hasQueueElsewhere = read.text('REDIS_URL', 'DATABASE_URL') !== undefined
    // Files would go to a folder nobody has chosen, perhaps in a container that is thrown away.
    if (production && hasQueueElsewhere && read.text('DATA_DIR') === undefined) {
      read.missing('R2_ENDPOINT, R2_ACCESS_KEY, R2_SECRET_KEY (or DATA_DIR to keep files on disk)')
    }
    return undefined
  }
  if (endpoint === undefined && region === undefined) read.missing('R2_ENDPOINT (or S3_REGION for AWS itself)')
  for (const name of ['R2_ENDPOINT', 'S3_ENDPOINT', 'S3_PUBLIC_ENDPOINT', 'R2_PUBLIC_URL', 'S3_PUBLIC_URL']) {
    read.url(name, ['https', 'http'])
  }
  const pathStyle = read.oneOf('S3_FORCE_PATH_STYLE', ['', 'true', 'false'], '')
  return {
    bucket: bucket ?? 'video-api-storage',
    endpoint,
    publicEndpoint: read.text('S3_PUBLIC_ENDPOINT'),
    region,
    accessKeyId: accessKeyId ?? read.required('R2_ACCESS_KEY'),
    secretAccessKey: secretAccessKey ?? read.required('R2_SECRET_KEY'),
    forcePathStyle: pathStyle === '' ? undefined : pathStyle === 'true',
    publicUrl: read.text('R2_PUBLIC_URL', 'S3_PUBLIC_URL'),
    prefix: read.text('S3_PREFIX'),
  }
}

function readModels(read: Reader): string[] {
  const listed = read.list('MODELS')
  const models = listed.length > 0 ? listed : ['ltx-video', 'camera']
  const bad = [...models, read.text('DEFAULT_MODEL') ?? 'ltx-video'].filter(
    (name) => !/^[a-z0-9][a-z0-9._-]{0,63}$/.test(name),
  )
  if (bad.length > 0) read.invalid('MODELS, DEFAULT_MODEL (give names such as ltx-video)')
  const first = read.text('DEFAULT_MODEL') ?? models[0]!
  return [...new Set([first, ...models])]
}

function readNetworks(read: Reader): AllowedNetwork[] {
  const value = (read.text('ALLOW_PRIVATE_NETWORK') ?? 'false').toLowerCase()
  if (['false', '0', 'no', 'off'].includes(value)) return []
  if (['true', '1', 'yes', 'on'].includes(value)) return ['private']
  const networks = value.split(',').map((one) => one.trim())
  try {
    createAddressCheck(networks)
    return networks
  } catch {
    read.invalid('ALLOW_PRIVATE_NETWORK (give true, false, loopback, or networks such as 10.0.0.0/8,192.168.1.7)')
    return []
  }
}
