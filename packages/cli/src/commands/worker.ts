/** `kinora worker`: leases jobs from a server, on any machine that reaches it. */
import { createLogger, type Environment, LOG_LEVELS } from '@kinora/server/env'
import { createWorker, WorkerError } from '@kinora/worker'
import { CommandError, EXIT } from '../failure.ts'
import { readWorkerSettings } from '../worker-settings.ts'

/** What was typed; each stands for a variable and wins over it. */
export interface WorkerFlags {
  readonly engine?: string | undefined
  readonly model?: string | undefined
  readonly modelPath?: string | undefined
  readonly vae?: string | undefined
  readonly lora?: readonly string[] | undefined
  readonly recipe?: string | undefined
  readonly precision?: string | undefined
  readonly provider?: string | undefined
  readonly keepLoaded?: boolean | undefined
}

/**
 * Works until the signal aborts or no job came for MAX_IDLE_SECONDS.
 * @throws CommandError naming every variable that is missing or invalid, or what the server or the engine refused
 */
export async function worker(flags: WorkerFlags, environment: Environment, signal: AbortSignal): Promise<void> {
  const { engine, model, modelPath, vae, lora, recipe, precision, provider, keepLoaded } = flags
  const typed = {
    ENGINE: engine,
    MODEL: model,
    MODEL_PATH: modelPath,
    VAE: vae,
    // A path may hold a comma: one a line.
    LORA: lora?.map((one) => `${one}\n`).join(''),
    RECIPE: recipe,
    PRECISION: precision,
    PROVIDER: provider,
    KEEP_LOADED: keepLoaded ? 'true' : undefined,
  }
  const known = Object.fromEntries(Object.entries(typed).filter(([, value]) => value !== undefined))
  const { apiUrl, workerToken, options } = readWorkerSettings({ ...environment, ...known })
  if (apiUrl === undefined || workerToken === undefined) {
    const missing = [
      ...(apiUrl === undefined ? ['API_URL'] : []),
      ...(workerToken === undefined ? ['WORKER_TOKEN'] : []),
    ]
    throw new CommandError(
      `Cannot start, environment variables are not right: missing ${missing.join(', ')}`,
      EXIT.usage,
    )
  }

  const level = LOG_LEVELS.find((known) => known === environment.LOG_LEVEL) ?? 'info'
  const logger = createLogger(level)
  try {
    const running = createWorker({ ...options, apiUrl, workerToken, logger })
    signal.addEventListener('abort', () => running.stop(), { once: true })
    if (signal.aborted) running.stop()
    logger.info({ reason: await running.run() }, 'worker ended')
  } catch (error) {
    if (error instanceof WorkerError) throw new CommandError(error.message, EXIT.failure, { cause: error })
    throw error
  }
}
