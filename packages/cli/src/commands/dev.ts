/** `kinora dev`: everything on this machine, in one data folder that survives restarts. */
import type { Environment } from '@kinora/server/env'
import type { WorkerEvent } from '@kinora/worker'
import { startLocal } from '../compose.ts'
import { announceServer, loadDevSecrets, withdrawServer } from '../dev-server.ts'
import { describeError } from '../failure.ts'
import { untilAborted } from '../interrupt.ts'
import type { Output } from '../output.ts'

export interface DevOptions {
  readonly port: number
  readonly host: string
  readonly dataDir: string
  readonly models: readonly string[] | undefined
  readonly environment: Environment
}

/** Runs until the signal aborts. A second one on the same folder is refused with the first one's process id. */
export async function dev(options: DevOptions, output: Output, signal: AbortSignal): Promise<void> {
  const { dataDir, models, port, host, environment } = options
  const local = await startLocal({
    dataDir,
    models,
    port,
    host,
    serverEnvironment: {
      LOG_LEVEL: 'warn',
      ...environment,
      DATA_DIR: dataDir,
      PORT: String(port),
      HOST: host,
      ...(models ? { MODELS: models.join(','), DEFAULT_MODEL: models[0] } : {}),
    },
    workerEnvironment: environment,
    secrets: await loadDevSecrets(dataDir),
    onWorker: (event, model) => sayEvent(event, model, output),
    onWorkerFailure: (error, model) => output.say(`${model}: no video can be made. ${describeError(error)}`),
  })
  try {
    await announceServer(dataDir, { url: local.url, apiKey: local.apiKey, pid: process.pid })
    output.say(`Kinora runs at  ${local.url}`)
    output.say(`API key         ${local.apiKey}`)
    output.say(`Data            ${dataDir}`)
    output.say('')
    output.say('Try, in this folder:')
    output.say(
      `  kinora generate PHOTO.jpg --prompt "zoom in slowly"${dataDir === './.kinora' ? '' : ` --data-dir ${dataDir}`}`,
    )
    output.say('or with curl:')
    output.say(
      `  curl ${local.url}/api/v1/generate -H "Authorization: Bearer ${local.apiKey}" -F image=@PHOTO.jpg -F "prompt=zoom in slowly"`,
    )
    output.say('')
    output.say('Ctrl-C ends it; jobs go on at the next start.')
    await untilAborted(signal)
    output.say('Closing…')
  } finally {
    await withdrawServer(dataDir)
    await local.close()
  }
}

function sayEvent(event: WorkerEvent, model: string, output: Output): void {
  switch (event.type) {
    case 'ready':
      return output.say(`${model}: engine ${event.engine} is ready on ${event.provider}`)
    case 'started':
      return output.say(`${model}: ${event.job_id} started${event.attempt > 1 ? `, attempt ${event.attempt}` : ''}`)
    case 'finished':
      return output.say(`${model}: ${event.job_id} ${event.outcome.kind} after ${event.seconds} s`)
    case 'opening':
      return output.say(`${model}: ${event.detail}`)
    case 'trouble':
      return output.say(`${model}: ${event.message}`)
    default:
  }
}
