/** A server with workers of its own in one process, to be killed: takes jobs from the parent and finishes whatever it can claim. */
import { pino } from 'pino'
import { createCore } from '../../src/create-core.ts'
import { inspectImage } from '../../src/images/index.ts'
import { leaseKeys } from '../../src/jobs/keys.ts'
import { createGuardedFetch } from '../../src/net/index.ts'
import { createDiskStorage } from '../../src/storage/index.ts'
import { MP4 } from '../services/bench.ts'
import { driverOf } from '../services/open-store.ts'

const [, , kind = '', address = '', folder = '', origin = ''] = process.argv

const storage = createDiskStorage({ folder, publicUrl: 'http://localhost:1' })
const core = await createCore({
  store: driverOf(kind, address),
  storage,
  fetch: createGuardedFetch({ allowNetworks: ['loopback'] }),
  inspectImage,
  models: ['camera'],
  webhooks: { secret: 'a webhook secret of the tests', singleTenant: 'default' },
  logger: pino({ level: process.env['LOG_LEVEL'] ?? 'silent' }, pino.destination(2)),
  leaseSeconds: 5,
  deliveryDelays: [0, 100, 200, 400, 800, 1600],
})

async function add(): Promise<void> {
  const { job } = await core.jobs.accept('default', {
    image: { image_url: `${origin}/picture.jpg` },
    request: { duration: 1, webhook_url: `${origin}/hook` },
  })
  process.send?.({ accepted: job.job_id })
}

async function work(worker: string): Promise<void> {
  for (;;) {
    const lease = await core.leases.claim({ model: 'camera', worker, wait: 5 })
    if (!lease) continue
    await new Promise((resolve) => setTimeout(resolve, 20))
    await storage.put(leaseKeys(lease.lease_id).video, MP4, { contentType: 'video/mp4' })
    // A lease that was lost to the time the process was starting is not this test's matter.
    await core.leases.complete(lease.lease_id, {}).catch(() => undefined)
  }
}

process.on('message', (message) => {
  if (message === 'add') void add()
  else if (Array.isArray(message)) {
    void Promise.all(
      message.map((jobId: string) =>
        core.jobs.get('default', jobId).then(({ status, error_message = '' }) => status + error_message, String),
      ),
    ).then((statuses) => process.send?.({ statuses }))
  }
})
for (const worker of ['one', 'two', 'three']) void work(worker)
process.send?.('ready')
