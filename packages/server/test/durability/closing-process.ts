/** A process that a worker has asked for a job, which closes when told and says what would still keep it. */
import { createKinora } from '../../src/index.ts'
import { driverOf } from '../services/open-store.ts'

const [, , kind = '', address = '', dataDir = ''] = process.argv

const kinora = await createKinora({
  store: driverOf(kind, address || dataDir),
  dataDir,
  models: ['camera'],
  publicUrl: 'http://localhost:1',
  apiKey: 'key-of-the-tests',
  webhookSecret: 'secret-of-the-tests',
  workerToken: 'token-of-the-tests',
})
// A worker that went away leaves the look for a job that was begun for it.
await kinora.core.leases.claim({ model: 'camera', worker: 'impatient', wait: 1 })
process.on('message', async () => {
  await kinora.close()
  process.disconnect()
  // Whoever is free has ended by then; connections may still be saying goodbye for a moment.
  setTimeout(() => {
    process.stdout.write(`kept by ${process.getActiveResourcesInfo().join(', ')}`)
    process.exit()
  }, 2000).unref()
})
process.send?.('ready')
