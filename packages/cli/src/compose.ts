/** Server and worker in one process tree: what `kinora dev`, `kinora generate` without --url, and the demo run. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ServedKinora, serveKinora } from '@kinora/server'
import { createLogger, DEV_DEFAULTS, type Environment, readServerSettings, toServeOptions } from '@kinora/server/env'
import { createWorker, type WorkerEvent, type WorkerOptions } from '@kinora/worker'
import { createSecrets, type DevSecrets } from './dev-server.ts'
import { describeError } from './failure.ts'
import { queueTemplate } from './queue-template.ts'
import { engineOf, readWorkerSettings } from './worker-settings.ts'

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
  /** Variables of docs/server.md; they override everything above. Default: none. */
  readonly serverEnvironment?: Environment | undefined
  /** Variables of docs/worker.md, such as MODEL_PATH. Default: this process's. */
  readonly workerEnvironment?: Environment | undefined
  /** Called with what the workers do. */
  readonly onWorker?: ((event: WorkerEvent, model: string) => void) | undefined
  /** Called when a worker cannot start or go on: its model's jobs wait from then on. */
  readonly onWorkerFailure?: ((error: unknown, model: string) => void) | undefined
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
  const workers: RunningWorker[] = []

  async function close(): Promise<void> {
    await Promise.all(workers.map((worker) => worker.stop()))
    await server?.close({ graceSeconds: 2 })
    await removePrivateFolder()
  }

  try {
    const { models = ['camera'] } = options
    const settings = readServerSettings(options.serverEnvironment ?? {}, {
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
    const workerEnvironment = options.workerEnvironment ?? process.env
    server = await serveKinora(await toServeOptions(settings, logger, queueTemplate()))
    for (const model of settings.models) {
      workers.push(
        startWorker(
          {
            ...readWorkerSettings({ ...workerEnvironment, ENGINE: engineOf(model), MAX_IDLE_SECONDS: '0' }).options,
            apiUrl: server.url,
            workerToken: settings.workerToken,
            model,
            logger,
            onEvent: (event) => options.onWorker?.(event, model),
          },
          (error) => {
            logger.error({ model }, describeError(error))
            options.onWorkerFailure?.(error, model)
          },
        ),
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

interface RunningWorker {
  stop(): Promise<void>
}

/** A worker that cannot start must not end the server: its model's jobs wait, and others go on. */
function startWorker(options: WorkerOptions, onFailure: (error: unknown) => void): RunningWorker {
  const worker = createWorker(options)
  async function run(): Promise<void> {
    try {
      await worker.run()
    } catch (error) {
      onFailure(error)
    }
  }
  const ended = run()
  return {
    stop() {
      worker.stop()
      return ended
    },
  }
}
