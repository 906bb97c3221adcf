/** A process that fetches pictures and is killed: by its parent in the middle of a fetch, or by itself right after a job is in the line. */
import { withBackend } from 'bullmq'
import { pino } from 'pino'
import { inspectImage } from '../../src/images/index.ts'
import { createInputs, type PicturedJob } from '../../src/inputs/index.ts'
import { createGuardedFetch } from '../../src/net/index.ts'
import { createDiskStorage } from '../../src/storage/index.ts'
import { openStore } from '../services/open-store.ts'

const [, , kind = '', address = '', folder = '', when = '', ...jobs] = process.argv

const store = await openStore(kind, address)
const { Queue } = withBackend(store.backend)
const connection = { store: store.name }
const line = new Queue('line', { connection })
const known = new Map(jobs.map((text) => JSON.parse(text) as PicturedJob).map((job) => [job.job_id, job]))

const inputs = await createInputs({
  bullmq: withBackend(store.backend),
  connection,
  models: ['camera'],
  storage: createDiskStorage({ folder, publicUrl: 'http://localhost:1' }),
  fetch: createGuardedFetch({
    allowNetworks: ['loopback'],
    resolve: async () => [{ address: '127.0.0.1', family: 4 }],
  }),
  inspect: (bytes) => inspectImage(bytes),
  jobs: {
    waiting: async (jobId) => known.get(jobId) ?? null,
    isKept: async () => true,
    refuse: async () => undefined,
    async line({ job_id: jobId }, priority) {
      await line.add('video', {}, { jobId, priority })
      if (when === 'after the line') process.kill(process.pid, 'SIGKILL')
      process.send?.({ inLine: jobId })
    },
  },
  limits: { lockDuration: 1000 },
  logger: pino({ level: 'silent' }),
})
if (when !== 'take over') for (const job of known.values()) await inputs.begin(job, 7)
process.send?.('ready')
process.on('message', async () => {
  const counts = await line.getJobCounts('waiting', 'prioritized')
  process.send?.({
    lined: Object.values(counts).reduce((sum, one) => sum + one, 0),
    left: await inputs.count('camera'),
  })
})
