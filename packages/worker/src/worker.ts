/** The worker: claims a job, runs it, reports, claims the next; until it is stopped, idle for too long, or refused. */

import { randomUUID } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { MAX_LEASE_WAIT, type JobStage, type Lease } from '@kinora/protocol'
import type { Logger } from 'pino'
import { backoffDelay, pause, type Backoff } from './backoff.ts'
import { startEngineChild, type EngineChild } from './child/engine-child.ts'
import type { EngineOptions } from './engines/engine.ts'
import { isModule } from './engines/open-engine.ts'
import { createLeaseClient, LeaseError } from './lease-client.ts'
import { runLease, type Outcome } from './run-lease.ts'
import { openScratch } from './scratch.ts'

/** What a worker needs of a logger; pino's fits. */
export type WorkerLogger = Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>

export interface WorkerOptions {
  /** Where the server is, with the prefix it is mounted under: `https://api.example.com`. */
  readonly apiUrl: string
  readonly workerToken: string
  /** `camera`, `ltx`, or a module with an engine of one's own as `file:` URL or absolute path. @default 'ltx' */
  readonly engine?: string
  /** For the engine; must survive JSON. */
  readonly engineOptions?: EngineOptions
  /** The public name of the jobs to ask for. @default 'ltx-video' for ltx, 'camera' for camera; needed for engines of one's own */
  readonly model?: string
  /** A name for logs. @default host and process id */
  readonly name?: string
  /** Seconds without a job after which `run` ends; 0 = never. @default 300 */
  readonly maxIdleSeconds?: number
  /** Seconds without a sign of life from the engine after which it is stopped and the attempt counts as failed. @default 900 */
  readonly hangTimeout?: number
  /** Seconds an engine has to notice that its job was canceled before it is killed. @default 10 */
  readonly cancelGrace?: number
  /** Seconds for which a picture or a video is tried to be transferred. @default 900 */
  readonly transferPatience?: number
  /** Seconds for which a finished job is tried to be reported while the server cannot be reached. @default 3600 */
  readonly reportPatience?: number
  /** @default silent */
  readonly logger?: WorkerLogger
  /** @default globalThis.fetch */
  readonly fetch?: typeof globalThis.fetch
  /** Waiting between tries. */
  readonly backoff?: Backoff
  /** Folder for pictures and videos on their way. @default the system's temporary folder */
  readonly scratchParent?: string
  /** The child's environment; this process's secrets are taken out. @default process.env */
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly onEvent?: (event: WorkerEvent) => void
}

export type WorkerEvent =
  /** The engine is coming up: "downloading 3 of 9 GB". */
  | { readonly type: 'opening'; readonly detail: string }
  | { readonly type: 'ready'; readonly engine: string; readonly provider: string; readonly pid: number }
  | { readonly type: 'started'; readonly job_id: string; readonly attempt: number }
  | {
      readonly type: 'progress'
      readonly job_id: string
      /** 0..100. */
      readonly progress: number
      readonly stage: JobStage
      readonly detail?: string
    }
  | { readonly type: 'finished'; readonly job_id: string; readonly seconds: number; readonly outcome: Outcome }
  /** No job came for a while; `seconds` since the last one. */
  | { readonly type: 'idle'; readonly seconds: number }
  /** The server cannot be reached or has trouble; it is tried again. */
  | { readonly type: 'trouble'; readonly message: string }

export type StopReason = 'stopped' | 'idle'

export interface Worker {
  /**
   * Works until stopped or idle. To be called once.
   * @throws WorkerError when the server refuses this worker or the engine cannot start
   */
  run(): Promise<StopReason>
  /** Gives a running job back without using an attempt, and ends `run`. Safe to call twice. */
  stop(): void
}

/** The worker cannot go on, and trying again would not help. */
export class WorkerError extends Error {
  override readonly name = 'WorkerError'
  /** `unauthorized`, `unknown_model`, `refused`, `engine_failed` (or the engine's own), `options_invalid`. */
  readonly code: string

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** @throws WorkerError `options_invalid` */
export function createWorker(options: WorkerOptions): Worker {
  const stopping = new AbortController()
  const settings = withDefaults(options)
  return {
    run: () => runWorker(settings, stopping.signal),
    stop: () => stopping.abort(new Error('The worker was stopped.')),
  }
}

type Settings = ReturnType<typeof withDefaults>

function withDefaults(options: WorkerOptions) {
  const { engine = 'ltx' } = options
  if (!URL.canParse(options.apiUrl) || !/^https?:/.test(options.apiUrl)) {
    throw new WorkerError('options_invalid', `apiUrl is ${options.apiUrl}; give the server's http or https URL.`)
  }
  if (options.workerToken === '') throw new WorkerError('options_invalid', 'workerToken is empty.')
  const model = options.model ?? (engine === 'ltx' ? 'ltx-video' : isModule(engine) ? undefined : engine)
  if (model === undefined) {
    throw new WorkerError('options_invalid', `Say with model which jobs the engine ${engine} is for.`)
  }
  const silent = () => undefined
  return {
    apiUrl: options.apiUrl,
    workerToken: options.workerToken,
    engine,
    engineOptions: options.engineOptions ?? {},
    model,
    name: options.name ?? `${hostname()}:${process.pid}`,
    maxIdle: (options.maxIdleSeconds ?? 300) * 1000,
    hangTimeout: (options.hangTimeout ?? 900) * 1000,
    cancelGrace: (options.cancelGrace ?? 10) * 1000,
    transferPatience: (options.transferPatience ?? 900) * 1000,
    reportPatience: (options.reportPatience ?? 3600) * 1000,
    logger: options.logger ?? { debug: silent, info: silent, warn: silent, error: silent },
    fetch: options.fetch ?? globalThis.fetch,
    backoff: options.backoff ?? {},
    scratchParent: options.scratchParent,
    env: withoutSecrets(options.env ?? process.env),
    onEvent: options.onEvent ?? silent,
  }
}

/** An engine needs none of the keys to the service; HF_TOKEN it does need. */
function withoutSecrets(env: Readonly<Record<string, string | undefined>>): Record<string, string | undefined> {
  const secret =
    /^(WORKER_TOKEN|API_KEYS?|WEBHOOK_(SIGNING_)?SECRET|REDIS_URL|DATABASE_URL|(R2|S3|AWS)_\w*(KEY|SECRET|TOKEN)\w*)$/
  return Object.fromEntries(Object.entries(env).filter(([name]) => !secret.test(name)))
}

async function runWorker(settings: Settings, stopping: AbortSignal): Promise<StopReason> {
  const { logger, onEvent } = settings
  const client = createLeaseClient(settings)
  const scratch = await openScratch(settings.scratchParent)
  let child: EngineChild | undefined
  try {
    child = await startChild(settings, scratch, stopping)
    let lastJob = performance.now()
    let failures = 0
    while (!stopping.aborted) {
      const idle = performance.now() - lastJob
      const left = settings.maxIdle > 0 ? settings.maxIdle - idle : Infinity
      if (left <= 0) {
        logger.info({ seconds: Math.round(idle / 1000) }, 'no job came: ending')
        return 'idle'
      }
      // A child that died, even while idle, is replaced before a job is claimed that it could not run.
      if (!child.alive) child = await startChild(settings, scratch, stopping)
      let lease: Lease | undefined
      try {
        const wait = Math.min(MAX_LEASE_WAIT, left / 1000)
        const { abilities } = child
        lease = await client.claim(
          { model: settings.model, worker: settings.name, wait, ...(abilities !== undefined && { abilities }) },
          stopping,
        )
        failures = 0
      } catch (error) {
        if (stopping.aborted) break
        refuseForGood(error, settings)
        failures += 1
        const asked = error instanceof LeaseError ? (error.retryAfter ?? 0) : 0
        const delay = Math.min(Math.max(backoffDelay(failures + 1, settings.backoff), asked), left)
        const message = error instanceof Error ? error.message : String(error)
        logger.warn({ retry_in_ms: Math.round(delay) }, message)
        onEvent({ type: 'trouble', message })
        await pause(delay, stopping)
        continue
      }
      if (lease === undefined) {
        onEvent({ type: 'idle', seconds: Math.round((performance.now() - lastJob) / 1000) })
        continue
      }
      await work(lease, settings, client, child, scratch, stopping)
      lastJob = performance.now()
    }
    return 'stopped'
  } catch (error) {
    if (stopping.aborted) return 'stopped'
    throw error
  } finally {
    await child?.end()
    await rm(scratch, { recursive: true, force: true })
  }
}

async function work(
  lease: Lease,
  settings: Settings,
  client: ReturnType<typeof createLeaseClient>,
  child: EngineChild,
  scratch: string,
  stopping: AbortSignal,
): Promise<void> {
  const { logger, onEvent } = settings
  const { job_id, attempt } = lease
  const start = performance.now()
  logger.info({ job_id, attempt }, 'job started')
  onEvent({ type: 'started', job_id, attempt })
  const outcome = await runLease(lease, {
    client,
    child,
    folder: join(scratch, randomUUID()),
    fetch: settings.fetch,
    stopping,
    backoff: settings.backoff,
    transferPatience: settings.transferPatience,
    reportPatience: settings.reportPatience,
    onProgress: (progress, stage, detail) => {
      logger.debug({ job_id, progress, stage, detail }, 'progress')
      onEvent({ type: 'progress', job_id, progress, stage, ...(detail !== undefined && { detail }) })
    },
    onResolved: ({ notices }) => {
      for (const notice of notices) logger.info({ job_id }, notice)
    },
    onTrouble: (what, error) =>
      logger.warn(
        { job_id, error: error instanceof Error ? error.message : String(error) },
        `${what} did not work, trying again`,
      ),
  })
  const seconds = Math.round((performance.now() - start) / 10) / 100
  logOutcome(logger, job_id, seconds, outcome)
  onEvent({ type: 'finished', job_id, seconds, outcome })
}

function logOutcome(logger: WorkerLogger, job_id: string, seconds: number, outcome: Outcome): void {
  switch (outcome.kind) {
    case 'failed':
      logger.error({ job_id, seconds, error_code: outcome.failure.code, error: outcome.failure.message }, 'job failed')
      break
    case 'lost':
      logger.warn({ job_id, seconds, reason: outcome.reason }, 'lease lost, work dropped')
      break
    default:
      logger.info({ job_id, seconds }, `job ${outcome.kind}`)
  }
}

async function startChild(settings: Settings, scratch: string, stopping: AbortSignal): Promise<EngineChild> {
  const { logger, onEvent, engine } = settings
  try {
    const child = await startEngineChild({
      engine,
      engineOptions: settings.engineOptions,
      scratch,
      hangTimeout: settings.hangTimeout,
      cancelGrace: settings.cancelGrace,
      env: settings.env,
      signal: stopping,
      onOpening: (detail) => {
        logger.debug({ engine }, detail)
        onEvent({ type: 'opening', detail })
      },
      onOutput: (text) => logger.debug({ engine }, text.trimEnd()),
    })
    logger.info({ engine: child.engine, provider: child.provider, pid: child.pid }, 'engine ready')
    onEvent({ type: 'ready', engine: child.engine, provider: child.provider, pid: child.pid })
    return child
  } catch (error) {
    if (stopping.aborted) throw error
    const message = error instanceof Error ? error.message : String(error)
    const code =
      error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'engine_failed'
    throw new WorkerError(code, `The engine ${engine} did not start: ${message}`, { cause: error })
  }
}

/** Refusals that no waiting will change. 404 is not one: behind a proxy it is what a server that restarts looks like. */
function refuseForGood(error: unknown, { apiUrl, model }: Settings): void {
  if (!(error instanceof LeaseError)) throw error
  if (error.status === 401 || error.status === 403) {
    throw new WorkerError(
      'unauthorized',
      `${apiUrl} does not accept this worker: check that WORKER_TOKEN is the server's.`,
      {
        cause: error,
      },
    )
  }
  if (error.code === 'unknown_model') {
    throw new WorkerError('unknown_model', `${apiUrl} has no model ${model}. ${error.message}`, { cause: error })
  }
  if (error.status === 400 || error.status === 422) {
    throw new WorkerError('refused', `${error.message} (Is the server of the same version as this worker?)`, {
      cause: error,
    })
  }
}
