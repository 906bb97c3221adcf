/** The worker's environment, as in docs/worker.md, becomes options of `createWorker`. */
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Environment } from '@kinora/server/env'
import type { WorkerOptions } from '@kinora/worker'
import { CommandError, EXIT } from './failure.ts'

export interface WorkerSettings {
  readonly options: Omit<WorkerOptions, 'apiUrl' | 'workerToken'>
  readonly apiUrl: string | undefined
  readonly workerToken: string | undefined
}

/** The engine that serves a model: `ltx-video` is made by `ltx`, every other model by the engine of its name. */
export function engineOf(model: string): string {
  return model === 'ltx-video' ? 'ltx' : model
}

/** @throws CommandError naming what is invalid */
export function readWorkerSettings(environment: Environment): WorkerSettings {
  const text = (...names: string[]): string | undefined => names.map((name) => environment[name]?.trim()).find(Boolean)
  const maxIdle = text('MAX_IDLE_SECONDS')
  if (maxIdle !== undefined && !/^\d+$/.test(maxIdle)) {
    throw new CommandError(`MAX_IDLE_SECONDS is "${maxIdle}"; give whole seconds, 0 for never.`, EXIT.usage)
  }
  const engine = text('ENGINE') ?? 'ltx'
  const model = text('MODEL')
  const engineOptions = {
    modelPath: text('MODEL_PATH'),
    vae: text('VAE'),
    loras: lorasOf(environment),
    recipe: text('RECIPE'),
    precision: text('PRECISION'),
    provider: text('PROVIDER'),
    keepLoaded: text('KEEP_LOADED') === undefined ? undefined : text('KEEP_LOADED') === 'true',
  }
  return {
    options: {
      engine:
        /[/\\]|\.[cm]?[jt]s$/.test(engine) && !engine.startsWith('file:')
          ? pathToFileURL(resolve(engine)).href
          : engine,
      ...(model === undefined ? {} : { model }),
      ...(maxIdle === undefined ? {} : { maxIdleSeconds: Number(maxIdle) }),
      engineOptions: Object.fromEntries(Object.entries(engineOptions).filter(([, value]) => value !== undefined)),
      env: environment,
    },
    // API_WEBHOOK_URL is the name that the original worker had.
    apiUrl: text('API_URL') ?? originOf(text('API_WEBHOOK_URL')),
    workerToken: text('WORKER_TOKEN'),
  }
}

/** LORA: one a line, or with commas between. */
export function lorasOf({ LORA: text }: Environment): string[] | undefined {
  const names = (text ?? '').split(text?.includes('\n') === true ? '\n' : ',').map((name) => name.trim())
  const given = names.filter((name) => name !== '')
  return given.length > 0 ? given : undefined
}

/** The original variable held the address of `/webhook/complete`. */
function originOf(url: string | undefined): string | undefined {
  return url?.replace(/\/webhook\/complete\/?$/, '')
}
