/** Server and worker in one process tree: what `kinora dev`, `kinora generate` without --url, and the demo run. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ServedKinora, serveKinora } from '@kinora/server'
import { createLogger, DEV_DEFAULTS, type Environment, readServerSettings, toServeOptions } from '@kinora/server/env'
import { createSecrets, type DevSecrets } from './dev-server.ts'
import { type LocalWorker, startWorker } from './local-worker.ts'

export interface LocalOptions {
  /** Where queue, pictures and videos are kept. Default: a private folder that `close` removes. */
  readonly dataDir?: string | undefined
  /** Models that are served, the default first. Default `['camera']`, which needs no weights. */
  readonly models?: readonly string[] | undefined
  /** Default 0: a free one. */
  readonly port?: number | undefined
  /** Default `127.0.0.1`. */
  readonly host?: string | undefined
  /** Default: new ones. */
  readonly secrets?: DevSecrets | undefined
  /** Overrides everything above, and has the rest of docs/server.md and docs/worker.md. Default: nothing. */
  readonly environment?: Environment | undefined
  /** Called with what the worker does, for people. */
  readonly onWorker?: ((line: string) => void) | undefined
}

export interface LocalKinora {
  /** Where the API answers. */
  readonly url: string
  readonly apiKey: string
  readonly webhookSecret: string
  /** Ends worker and server in order, and removes a private folder. Idempotent. */
  close(): Promise<void>
}

/**
 * Starts everything on this machine: the API on a port, the queue in a folder, a worker with a process for each model.
 *
 * @example
 * const kinora = await startLocal()
 * const client = new Kinora({ baseUrl: kinora.url, apiKey: kinora.apiKey })
 */
export async function startLocal(options: LocalOptions = {}): Promise<LocalKinora> {
  const privateFolder = options.dataDir === undefined ? await mkdtemp(join(tmpdir(), 'kinora-')) : undefined
  const removePrivateFolder = async (): Promise<void> => {
    if (privateFolder !== undefined) await rm(privateFolder, { recursive: true, force: true })
  }
  const secrets = options.secrets ?? createSecrets()
  let server: ServedKinora | undefined
  const workers: LocalWorker[] = []

  async function close(): Promise<void> {
    await Promise.all(workers.map((worker) => worker.stop()))
    await server?.close({ graceSeconds: 2 })
    await removePrivateFolder()
  }

  try {
    const { models = ['camera'] } = options
    const settings = readServerSettings(options.environment ?? {}, {
      ...DEV_DEFAULTS,
      PORT: String(options.port ?? 0),
      ...(options.host === undefined ? {} : { HOST: options.host }),
      MODELS: models.join(','),
      DEFAULT_MODEL: models[0] ?? 'camera',
      API_KEY: secrets.apiKey,
      WORKER_TOKEN: secrets.workerToken,
      WEBHOOK_SECRET: secrets.webhookSecret,
      DATA_DIR: options.dataDir ?? privateFolder ?? '',
      LOG_LEVEL: 'warn',
    })
    const logger = createLogger(settings.logLevel)
    server = await serveKinora(await toServeOptions(settings, logger))
    for (const model of settings.models) {
      const { url } = server
      workers.push(
        startWorker({ apiUrl: url, workerToken: settings.workerToken, model, environment: options.environment ?? {}, logger, onLine: options.onWorker }),
      )
    }
    const apiKey = settings.apiKey ?? settings.apiKeys?.[0]?.key ?? ''
    let closing: Promise<void> | undefined
    return { url: server.url, apiKey, webhookSecret: settings.webhookSecret, close: () => (closing ??= close()) }
  } catch (error) {
    await close()
    throw error
  }
}
