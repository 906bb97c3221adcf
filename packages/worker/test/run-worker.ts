/** A program around a worker, as the CLI is one; started by worker.test.ts. */

import { createWorker, stopOnSignals } from '@kinora/worker'

const worker = createWorker({
  apiUrl: process.env['API_URL'] ?? '',
  workerToken: process.env['WORKER_TOKEN'] ?? '',
  engine: process.env['ENGINE'] ?? 'camera',
  model: 'test',
  ...(process.env['SCRATCH'] !== undefined && { scratchParent: process.env['SCRATCH'] }),
  onEvent: (event) => event.type === 'ready' && console.log(`ready ${event.pid}`),
})
stopOnSignals(worker)
console.log(`ended: ${await worker.run()}`)
