/** One run: so many jobs, so many kills, on one store; and what the checker says of it. */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { check } from './checker.ts'
import { createClients, readSecret, startOutside } from './clients.ts'
import { createRandom, type Random } from './random.ts'
import { pause, startWorld, type StoreKind, type Tenant, type World } from './world.ts'

export interface ChaosOptions {
  readonly store: StoreKind
  readonly jobs: number
  readonly kills: number
  /** The same seed makes the same choices; what they meet depends on the machine's pace. */
  readonly seed: number
  /** Jobs that clients have under way at the same time. @default 8 */
  readonly together?: number
  /** Seconds after which what has not ended by then counts as never ended. @default 30 + 6 for each kill + 2 for each job */
  readonly patience?: number
  readonly say?: (line: string) => void
}

export interface ChaosReport {
  readonly store: StoreKind
  readonly jobs: number
  readonly ended: Readonly<Record<string, number>>
  /** How often each thing was done. */
  readonly done: Readonly<Record<string, number>>
  readonly attemptsHarmed: number
  readonly sightings: number
  readonly messages: number
  readonly seconds: number
  /** Broken promises. */
  readonly faults: readonly string[]
  /** What the processes printed last, for finding out why. */
  readonly diagnosis: string
}

const PHOTO = fileURLToPath(new URL('../../examples/assets/chelsea.jpg', import.meta.url))

export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const { store, jobs, kills, seed, together = 8, say = () => undefined } = options
  const patience = options.patience ?? 30 + 6 * kills + 2 * jobs
  const began = performance.now()
  const random = createRandom(seed)
  const photo = await readFile(PHOTO)
  const world = await startWorld(store, random)
  const secrets = new Map<Tenant, Promise<string>>()
  const outside = await startOutside({
    photo,
    random,
    secretOf(tenant) {
      const secret = secrets.get(tenant) ?? readSecret(world.url, tenant)
      secrets.set(tenant, secret)
      return secret
    },
  })
  const giveUp = new AbortController()
  const timer = setTimeout(() => giveUp.abort(new Error('out of patience')), patience * 1000)
  const done: Record<string, number> = {}
  try {
    const clients = createClients({ url: world.url, random, photo, ...outside, signal: giveUp.signal })
    let next = 0
    const using = Array.from({ length: together }, async () => {
      while (next < jobs) await clients.useOnce(next++)
    })
    const killing = (async () => {
      for (let kill = 0; kill < kills && !giveUp.signal.aborted; kill++) {
        // Spread over the whole run: the next one comes when as many jobs have ended.
        const due = Math.floor((jobs * kill) / kills)
        const waitedFrom = performance.now()
        while (clients.ended < due && performance.now() - waitedFrom < 6000 && !giveUp.signal.aborted) await pause(50)
        const what = await breakSomething(world, random)
        done[what] = (done[what] ?? 0) + 1
        say(`${kill + 1}/${kills} ${what}; ${clients.ended} of ${jobs} jobs have ended`)
      }
      world.calm()
    })()
    const outcomes = await Promise.allSettled([...using, killing])
    const broken = outcomes.flatMap((outcome) =>
      outcome.status === 'rejected' && !giveUp.signal.aborted ? [`A client broke: ${String(outcome.reason)}`] : [],
    )

    // Messages that met trouble come again after 5 s; more trouble is not made by then.
    const expected = new Set(
      clients.acceptances
        .filter(({ jobId, webhook }) => webhook && !clients.deleted.has(jobId))
        .map(({ jobId }) => jobId),
    )
    const arrived = (): boolean => {
      const seen = new Set(outside.messages.map(({ jobId }) => jobId))
      return [...expected].every((jobId) => seen.has(jobId))
    }
    for (let waited = 0; waited < 60_000 && !arrived(); waited += 100) await pause(100)

    const facts = (objects: readonly string[]) => ({ ...outside, ...world, ...clients, objects })
    let faults = check(facts(await world.objects()))
    // Objects of deleted jobs may be swept a little later than the answer.
    for (let waited = 0; waited < 20_000 && faults.some((fault) => fault.includes('without a job')); waited += 500) {
      await pause(500)
      faults = check(facts(await world.objects()))
    }
    return {
      store,
      jobs,
      ended: countEnds(clients.sightings),
      done,
      attemptsHarmed: new Set(world.harms.map(({ jobId, attempt }) => `${jobId} ${attempt}`)).size,
      sightings: clients.sightings.length,
      messages: outside.messages.length,
      seconds: Math.round((performance.now() - began) / 1000),
      faults: [...broken, ...faults],
      diagnosis: world.diagnosis(),
    }
  } finally {
    clearTimeout(timer)
    giveUp.abort()
    await world.close()
    await outside.close()
  }
}

/** @returns what was done, in words */
async function breakSomething(world: World, random: Random): Promise<string> {
  const worker = random.pick(world.busyWorkers().length > 0 ? world.busyWorkers() : [0, world.workers - 1])
  const choices: readonly (readonly [string, number, (() => Promise<unknown>) | undefined])[] = [
    ['killed an API', 5, () => world.killApi(random.integer(world.apis))],
    ['killed a worker', 5, () => world.killWorker(worker)],
    ['killed a worker’s child', 3, () => world.killInside(worker, 'child')],
    ['killed an ffmpeg', 3, () => killOneFfmpeg(world)],
    ['killed the store', 4, world.killStore],
    ['froze the store for 2 s', 2, world.freezeStore && (() => world.freezeStore?.(2000) ?? Promise.resolve())],
    ['let the storage answer 500 for 1 s', 1, world.troubleStorage && (() => trouble({ status: 500 }, 1000))],
    ['let the storage reset connections for 1 s', 1, world.troubleStorage && (() => trouble({ reset: true }, 1000))],
    ['let the storage wait 2 s', 1, world.troubleStorage && (() => trouble({ slow: 2000 }, 2000))],
  ]
  async function trouble(mode: { status: number } | { reset: true } | { slow: number }, time: number): Promise<void> {
    await world.troubleStorage?.(mode, time)
  }
  const possible = choices.flatMap(([what, weight, act]) =>
    act ? Array.from({ length: weight }, () => ({ what, act })) : [],
  )
  const { what, act } = random.pick(possible)
  await act()
  return what
}

/** ffmpeg runs for a moment only: it is waited for a while, and caught in whichever worker has one. */
async function killOneFfmpeg(world: World): Promise<void> {
  for (let tries = 0; tries < 40; tries++) {
    for (let index = 0; index < world.workers; index++) if (await world.killInside(index, 'ffmpeg')) return
    await pause(25)
  }
}

function countEnds(sightings: readonly { readonly job: { readonly job_id: string; readonly status: string } }[]) {
  const ends = new Map(sightings.map(({ job }) => [job.job_id, job.status]))
  const counts: Record<string, number> = {}
  for (const status of ends.values()) counts[status] = (counts[status] ?? 0) + 1
  return counts
}
