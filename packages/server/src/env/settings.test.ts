import { describe, expect, it } from 'vitest'
import { DEV_DEFAULTS, readServerSettings } from './settings.ts'
import { EnvironmentError } from './values.ts'

const enough = { API_KEY: 'key-of-the-app', WEBHOOK_SECRET: 'webhook-secret', WORKER_TOKEN: 'worker-token' }
const r2 = { R2_ENDPOINT: 'https://a.r2.cloudflarestorage.com', R2_ACCESS_KEY: 'id', R2_SECRET_KEY: 'secret' }

describe('the environment of a server', () => {
  it('needs three secrets and nothing else on one machine', () => {
    expect(readServerSettings(enough)).toEqual({
      production: false,
      port: 3000,
      host: '0.0.0.0',
      publicUrl: undefined,
      dataDir: './.kinora',
      apiKey: 'key-of-the-app',
      apiKeys: undefined,
      webhookSecret: 'webhook-secret',
      webhookSigningSecret: undefined,
      workerToken: 'worker-token',
      queue: { kind: 'embedded', dataDir: './.kinora' },
      s3: undefined,
      models: ['ltx-video', 'camera'],
      allowNetworks: [],
      objectTtl: undefined,
      retention: { completed: undefined, failed: undefined },
      limits: { queued: 10_000, running: 0, requestsPerMinute: 0, bytesPerDay: 0, queueTotal: 100_000 },
      logLevel: 'info',
    })
  })

  it('is refused in one line that names everything', () => {
    const read = () =>
      readServerSettings({ NODE_ENV: 'production', PORT: 'abc', LOG_LEVEL: 'loud', WEBHOOK_SECRET: ' ' })
    expect(read).toThrow(EnvironmentError)
    expect(read).toThrow(
      'Cannot start, environment variables are not right: missing PUBLIC_URL, API_KEY (or API_KEYS), WEBHOOK_SECRET, WORKER_TOKEN, ' +
        'REDIS_URL or DATABASE_URL or DATA_DIR; invalid PORT (give a whole number from 0 to 65535); ' +
        'LOG_LEVEL (give one of fatal, error, warn, info, debug, trace, silent)',
    )
  })

  it('names no values, as they may be secrets', () => {
    const secrets = { ...enough, API_KEY: 'short1', REDIS_URL: 'http://user:hunter2@host', API_KEYS: 'hunter2' }
    expect(() => readServerSettings(secrets)).toThrow(/invalid API_KEYS .*; REDIS_URL/)
    expect(() => readServerSettings(secrets)).not.toThrow(/hunter2|short1/)
  })

  it('must name a store and a place for files in production', () => {
    const production = { ...enough, NODE_ENV: 'production', PUBLIC_URL: 'https://video.example.com' }
    expect(readServerSettings({ ...production, DATA_DIR: '/data' }).queue).toEqual({
      kind: 'embedded',
      dataDir: '/data',
    })
    expect(() => readServerSettings({ ...production, REDIS_URL: 'redis://r' })).toThrow(
      /missing R2_ENDPOINT, R2_ACCESS_KEY, R2_SECRET_KEY \(or DATA_DIR/,
    )
    expect(readServerSettings({ ...production, ...r2, REDIS_URL: 'redis://r' }).queue).toEqual({
      kind: 'redis',
      url: 'redis://r',
      historyUrl: undefined,
    })
  })

  it('chooses the queue: Redis, with history in Postgres beside it, or Postgres', () => {
    const [redis, database] = ['rediss://cache:6380', 'postgresql://db/videos']
    expect(readServerSettings({ ...enough, REDIS_URL: redis, DATABASE_URL: database }).queue).toEqual({
      kind: 'redis',
      url: redis,
      historyUrl: database,
    })
    expect(readServerSettings({ ...enough, DATABASE_URL: database }).queue).toEqual({ kind: 'postgres', url: database })
  })

  it('reads the bucket by its original names, or as S3', () => {
    expect(readServerSettings({ ...enough, ...r2, R2_PUBLIC_URL: 'https://cdn.example.com' }).s3).toMatchObject({
      bucket: 'video-api-storage',
      endpoint: 'https://a.r2.cloudflarestorage.com',
      accessKeyId: 'id',
      secretAccessKey: 'secret',
      publicUrl: 'https://cdn.example.com',
    })
    const aws = { S3_REGION: 'eu-west-1', S3_ACCESS_KEY: 'id', S3_SECRET_KEY: 'secret', S3_BUCKET: 'films' }
    expect(readServerSettings({ ...enough, ...aws }).s3).toMatchObject({ bucket: 'films', region: 'eu-west-1' })
    const local = { ...r2, R2_ENDPOINT: 'http://minio:9000', S3_PUBLIC_ENDPOINT: 'https://files.example.com' }
    expect(readServerSettings({ ...enough, ...local, S3_FORCE_PATH_STYLE: 'true' }).s3).toMatchObject({
      publicEndpoint: 'https://files.example.com',
      forcePathStyle: true,
    })
    expect(() => readServerSettings({ ...enough, R2_BUCKET: 'films' })).toThrow(
      /missing R2_ENDPOINT \(or S3_REGION for AWS itself\), R2_ACCESS_KEY, R2_SECRET_KEY/,
    )
  })

  it('reads several keys with their tenants', () => {
    const { apiKey, apiKeys } = readServerSettings({ ...enough, API_KEYS: 'anna:key-of-anna, bert:key:of:bert' })
    expect(apiKey).toBeUndefined()
    expect(apiKeys).toEqual([
      { tenant: 'anna', key: 'key-of-anna' },
      { tenant: 'bert', key: 'key:of:bert' },
    ])
    expect(() => readServerSettings({ ...enough, API_KEYS: 'a:same-key-1,b:same-key-1' })).toThrow(/stands there twice/)
  })

  it('reads times, networks and models', () => {
    const settings = readServerSettings({
      ...enough,
      OBJECT_TTL: '30d',
      JOB_RETENTION_COMPLETED: '12h',
      JOB_RETENTION_FAILED: '600',
      ALLOW_PRIVATE_NETWORK: '10.0.0.0/8, loopback',
      MODELS: 'camera,ltx-video',
      DEFAULT_MODEL: 'ltx-video',
    })
    expect(settings.objectTtl).toBe(30 * 86_400)
    expect(settings.retention).toEqual({ completed: 43_200, failed: 600 })
    expect(settings.allowNetworks).toEqual(['10.0.0.0/8', 'loopback'])
    expect(settings.models).toEqual(['ltx-video', 'camera'])
    expect(readServerSettings({ ...enough, ALLOW_PRIVATE_NETWORK: 'true' }).allowNetworks).toEqual(['private'])
    expect(readServerSettings({ ...enough, OBJECT_TTL: 'off' }).objectTtl).toBeUndefined()
    expect(() => readServerSettings({ ...enough, OBJECT_TTL: '1 week', ALLOW_PRIVATE_NETWORK: 'lan' })).toThrow(
      /invalid ALLOW_PRIVATE_NETWORK .*; OBJECT_TTL/,
    )
  })

  it('takes what dev says where nothing is set', () => {
    const settings = readServerSettings({ PORT: '0' }, { ...DEV_DEFAULTS, ...enough })
    expect(settings).toMatchObject({
      port: 0,
      host: '127.0.0.1',
      models: ['camera', 'ltx-video'],
      allowNetworks: ['loopback'],
      apiKey: 'key-of-the-app',
    })
  })
})
