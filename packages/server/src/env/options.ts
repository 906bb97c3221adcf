/** Settings become options: drivers are loaded here, and only the ones that are used. */
import { pino } from 'pino'
import type { Logger } from 'pino'
import type { ServeOptions } from '../serve.ts'
import { createS3Storage } from '../storage/s3/s3-storage.ts'
import type { StoreDriver } from '../stores/store.ts'
import type { QueueSettings, ServerSettings } from './settings.ts'

/**
 * What `serveKinora` takes.
 *
 * @param logger default: JSON lines on standard output
 * @param template what a new folder of the embedded store begins with
 */
export async function toServeOptions(
  settings: ServerSettings,
  logger?: Logger,
  template?: string,
): Promise<ServeOptions> {
  const { queue, s3, logLevel, production: _, ...plain } = settings
  return {
    ...plain,
    store: await loadStore(queue, template),
    ...(s3 ? { storage: createS3Storage(s3) } : {}),
    logger: logger ?? createLogger(logLevel),
  }
}

/** Lines of JSON with `message` and a `level` in words, as Railway and most collectors read them. */
export function createLogger(level: ServerSettings['logLevel']): Logger {
  return pino({
    level,
    messageKey: 'message',
    formatters: { level: (label) => ({ level: label }) },
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
  })
}

async function loadStore(queue: QueueSettings, template: string | undefined): Promise<StoreDriver> {
  if (queue.kind === 'redis') {
    const { redis } = await import('../stores/redis/index.ts')
    if (queue.historyUrl === undefined) return redis({ url: queue.url })
    const { postgresHistory } = await import('../stores/postgres/index.ts')
    return redis({ url: queue.url, history: postgresHistory({ url: queue.historyUrl }) })
  }
  if (queue.kind === 'postgres') {
    const { postgres } = await import('../stores/postgres/index.ts')
    return postgres({ url: queue.url })
  }
  const { embedded } = await import('../stores/embedded/index.ts')
  return embedded({ dataDir: queue.dataDir, template })
}
