/** Puts the server together: the core over its store, and the routes over the core. */
import path from 'node:path'
import type { Hono } from 'hono'
import { pino } from 'pino'
import { createGuards } from './auth/guards.ts'
import type { Core } from './core.ts'
import { createCore } from './create-core.ts'
import { createGate } from './http/gate.ts'
import { inspectImage } from './images/index.ts'
import { createGuardedFetch } from './net/index.ts'
import {
  DEFAULT_MODELS,
  type KinoraOptions,
  readAuthentication,
  readBasePath,
  readCors,
  readPublicUrl,
} from './options.ts'
import { describeRoutes } from './routes/document.ts'
import { createRoutes } from './routes/index.ts'
import { ROUTES } from './routes/table.ts'
import { createDiskStorage } from './storage/index.ts'
import { startSweeper } from './storage/sweeper.ts'
import { VERSION } from './version.ts'

/** A running server without a port: serve `app`, or mount it. */
export interface Kinora {
  /** Serve it with `serve(kinora.app)`, or mount it with `host.route('/video', kinora.app)`. */
  readonly app: Hono
  /** The server without HTTP, for a host that makes or watches jobs itself. */
  readonly core: Core
  /**
   * Refuses new requests with 503, ends streams and waiting claims, lets the requests inside finish for up to `graceSeconds` (default 10), and
   * closes queue and storage. Idempotent.
   */
  close(options?: { readonly graceSeconds?: number }): Promise<void>
}

/**
 * Makes a Kinora server.
 *
 * @throws TypeError for options that cannot work, before anything is opened
 * @throws StoreError when the store cannot be opened
 * @example
 * const kinora = await createKinora({
 *   store: embedded({ dataDir: './.kinora' }),
 *   dataDir: './.kinora',
 *   publicUrl: 'https://example.com/video',
 *   apiKey: API_KEY,
 *   webhookSecret: WEBHOOK_SECRET,
 *   workerToken: WORKER_TOKEN,
 * })
 * host.route('/video', kinora.app)
 */
export async function createKinora(options: KinoraOptions): Promise<Kinora> {
  const { authenticate, singleTenant } = readAuthentication(options)
  const basePath = readBasePath(options)
  const publicUrl = readPublicUrl(options)
  const { models = DEFAULT_MODELS, logger = pino({ name: 'kinora' }), objectTtl, workerToken } = options
  if (models.length === 0) throw new TypeError('createKinora: models is empty, so no job could be made.')
  if (!options.webhookSecret) throw new TypeError('createKinora: webhookSecret is empty.')
  if (workerToken === '') throw new TypeError('createKinora: workerToken is empty; leave it out to let no worker in.')
  if (options.storage === undefined && options.dataDir === undefined) {
    throw new TypeError('createKinora needs a storage, or a dataDir to keep files in.')
  }

  const storage =
    options.storage ?? createDiskStorage({ folder: path.join(options.dataDir ?? '', 'storage'), publicUrl })
  const guardedFetch = createGuardedFetch({
    allowNetworks: options.allowNetworks ?? [],
    userAgent: `Kinora/${VERSION}`,
  })
  const core = await createCore({
    store: options.store,
    storage,
    fetch: guardedFetch,
    inspectImage,
    models,
    webhooks: { secret: options.webhookSecret, signingSecret: options.webhookSigningSecret, singleTenant },
    logger,
    retention: options.retention,
    limits: options.limits,
    leaseSeconds: options.leaseSeconds,
    version: VERSION,
  }).catch(async (error: unknown) => {
    await guardedFetch.close()
    throw error
  })

  const gate = createGate()
  let document: ReturnType<typeof describeRoutes> | undefined
  const sweeper = startSweeper({ storage, objectTtl, logger })
  const app = createRoutes(
    {
      core,
      storage,
      gate,
      logger,
      authorise: createGuards({ authenticate, workerToken, webhookSecrets: core.webhookSecrets }),
      publicUrl,
      document: () => (document ??= describeRoutes(ROUTES, VERSION)),
    },
    { basePath, cors: readCors(options.cors) },
  )

  let closing: Promise<void> | undefined
  async function close(graceSeconds: number): Promise<void> {
    await Promise.all([gate.close(graceSeconds * 1000), sweeper.stop()])
    await core.close()
    await guardedFetch.close()
    await storage.close()
  }

  return { app, core, close: ({ graceSeconds = 10 } = {}) => (closing ??= close(graceSeconds)) }
}
