/** `kinora serve`: the API as a process of its own, configured by the environment. */
import { serveKinora } from '@kinora/server'
import { createLogger, EnvironmentError, readServerSettings, toServeOptions } from '@kinora/server/env'
import { CommandError, EXIT } from '../failure.ts'
import { untilAborted } from '../interrupt.ts'
import { queueTemplate } from '../queue-template.ts'

/**
 * Serves until the signal aborts, then ends in order.
 * @throws CommandError naming every variable that is missing or invalid
 */
export async function serve(environment: NodeJS.ProcessEnv, signal: AbortSignal): Promise<void> {
  const settings = readSettings(environment)
  const logger = createLogger(settings.logLevel)
  const server = await serveKinora(await toServeOptions(settings, logger, queueTemplate()))
  logger.info(
    { port: server.port, host: settings.host, queue: settings.queue.kind, models: settings.models },
    'listening',
  )
  await untilAborted(signal)
  logger.info('closing')
  await server.close()
}

function readSettings(environment: NodeJS.ProcessEnv) {
  try {
    return readServerSettings(environment)
  } catch (error) {
    if (error instanceof EnvironmentError) throw new CommandError(error.message, EXIT.usage, { cause: error })
    throw error
  }
}
