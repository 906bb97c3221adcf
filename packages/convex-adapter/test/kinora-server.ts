/**
 * A real Kinora server on a free port, for `real-kinora.ts` to start: tests run in the edge runtime, which is no place for a server.
 * Prints its URL as one line of JSON; ends when its input does, so that no test leaves it behind.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import process from 'node:process'
import { serveKinora } from '@kinora/server'
import { embedded } from '@kinora/server/embedded'
import { pino } from 'pino'

const dataDir = await mkdtemp(path.join(tmpdir(), 'kinora-convex-'))
const server = await serveKinora({
  store: embedded({ dataDir, template: process.env.KINORA_TEST_TEMPLATE }),
  dataDir,
  port: 0,
  host: '127.0.0.1',
  apiKey: process.env.TEST_API_KEY ?? '',
  workerToken: process.env.TEST_WORKER_TOKEN ?? '',
  webhookSecret: process.env.TEST_WEBHOOK_SECRET ?? '',
  models: ['camera'],
  // The test's own port is where pictures are fetched from and webhooks go.
  allowNetworks: ['loopback'],
  logger: pino({ level: 'error' }, pino.destination(2)),
})
console.log(JSON.stringify({ url: server.url }))

process.stdin.resume()
process.stdin.on('end', () => void stop())

async function stop(): Promise<void> {
  await server.close({ graceSeconds: 0 })
  await rm(dataDir, { recursive: true, force: true })
  process.exit(0)
}
