/**
 * Claim to start: how long a job takes from its acceptance to a worker that waits for it, and how long a claim takes when jobs wait. Kinora's
 * worker asks over HTTP and gets a lease, with the picture in the storage and signed URLs; the other is a raw BullMQ worker inside the queue's
 * own process, which gets the job's data.
 *
 *     npm run bench -- claim        (ROUNDS, JOBS, STORES=redis,embedded)
 */
import { type Lease, paths } from '@kinora/protocol'
import { type Entrant, startEntrant } from './entrant-process.ts'
import { now, WORKER_TOKEN } from './protocol.ts'
import { printTable, quantile } from './statistics.ts'
import { storesHere } from './stores.ts'

const rounds = Number(process.env['ROUNDS'] ?? 5)
const jobs = Number(process.env['JOBS'] ?? 20)

/** Milliseconds of each job. */
interface Times {
  /** A worker waits; from the moment the job is accepted. */
  readonly arriving: number[]
  /** Jobs wait; from the worker's claim. */
  readonly waiting: number[]
}

async function post(entrant: Entrant, path: string, body: unknown): Promise<Response> {
  const answer = await fetch(entrant.url + path, {
    method: 'POST',
    headers: { authorization: `Bearer ${WORKER_TOKEN}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`)
  return answer
}

async function claim(entrant: Entrant): Promise<{ lease: Lease; at: number }> {
  const answer = await post(entrant, paths.leases(), { model: 'camera', worker: 'bench', wait: 25 })
  if (answer.status === 204) throw new Error('No job came.')
  const lease = (await answer.json()) as Lease
  return { lease, at: now() }
}

/** Ends a job, so that it is out of the way. */
async function end(entrant: Entrant, { lease_id }: Lease): Promise<void> {
  await post(entrant, paths.fail(lease_id), { error: 'over', retryable: false })
}

/** Time enough for a claim to lie at the queue. */
const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 40))

async function kinoraRound(entrant: Entrant, times: Times): Promise<void> {
  for (let count = 0; count < jobs; count++) {
    const claiming = claim(entrant)
    await pause()
    const { to } = await entrant.job('add')
    const { lease, at } = await claiming
    times.arriving.push(at - to)
    await end(entrant, lease)
  }
  for (let count = 0; count < jobs; count++) await entrant.job('add')
  await entrant.rest()
  for (let count = 0; count < jobs; count++) {
    const from = now()
    const { lease, at } = await claim(entrant)
    times.waiting.push(at - from)
    await end(entrant, lease)
  }
}

async function bareRound(entrant: Entrant, times: Times): Promise<void> {
  const stop = await entrant.work()
  for (let count = 0; count < jobs; count++) {
    await pause()
    const started = entrant.started()
    const { to } = await entrant.job('add')
    times.arriving.push((await started) - to)
  }
  await stop()
  for (let count = 0; count < jobs; count++) await entrant.job('add')
  await entrant.rest()
  for (let count = 0; count < jobs; count++) {
    const { from, to } = await entrant.job('claim')
    times.waiting.push(to - from)
    await pause()
  }
}

const rows = [['store', 'case', 'kinora p50 ms', 'p99', 'bare p50 ms', 'p99', 'difference p50', 'p99']]
for (const store of storesHere()) {
  const [kinora, bare] = [await startEntrant('kinora', store), await startEntrant('bare', store)]
  const [ours, theirs]: [Times, Times] = [
    { arriving: [], waiting: [] },
    { arriving: [], waiting: [] },
  ]
  const warm: Times = { arriving: [], waiting: [] }
  for (let round = 0; round <= rounds; round++) {
    await kinoraRound(kinora, round === 0 ? warm : ours)
    await bareRound(bare, round === 0 ? warm : theirs)
  }
  for (const name of ['arriving', 'waiting'] as const) {
    const [a50, a99] = [quantile(ours[name], 0.5), quantile(ours[name], 0.99)]
    const [b50, b99] = [quantile(theirs[name], 0.5), quantile(theirs[name], 0.99)]
    rows.push([
      store,
      name === 'arriving' ? 'a job for a waiting worker' : 'a worker for a waiting job',
      ...[a50, a99, b50, b99, a50 - b50, a99 - b99].map((value) => value.toFixed(1)),
    ])
  }
  await Promise.all([kinora.dispose(), bare.dispose()])
}
printTable(`claim: ${rounds} rounds of ${jobs} jobs each and in each case, taking turns`, rows)
