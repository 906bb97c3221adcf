/** Everything that runs: the store, the storage, two APIs behind a proxy that loses things, workers, and receivers of webhooks. */
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Lease, LeaseEnd } from '@kinora/protocol'
import S3rver from 's3rver'
import { freePort } from '../../packages/server/test/services/free-port.ts'
import { startPostgres } from '../../packages/server/test/services/postgres.ts'
import { startRedis } from '../../packages/server/test/services/redis.ts'
import type { Service } from '../../packages/server/test/services/service.ts'
import { childrenOf, descendantsOf } from '../harness/process-tree.ts'
import { type RunningProcess, startKinora } from '../harness/processes.ts'
import { type Exchange, type Faults, type LossyProxy, startLossyProxy } from './lossy-proxy.ts'
import type { Random } from './random.ts'
import type { Harm, LeaseSeen } from './told.ts'

export type StoreKind = 'embedded' | 'redis' | 'postgres'

export const TENANTS = { anna: 'chaos-key-of-anna-0123456789', ben: 'chaos-key-of-ben-0123456789' } as const
export type Tenant = keyof typeof TENANTS

/** What happens to the network all the time. */
const NETWORK: Faults = { drop: 0.01, lose: 0.015, truncate: 0.01, delay: 0.05, delayUpTo: 400 }

/** Milliseconds that the second API's clock is ahead. */
const CLOCKS_APART = 60_000

const SKEWED_CLOCK = fileURLToPath(new URL('skewed-clock.mjs', import.meta.url))

export interface World {
  /** Where clients and workers reach the API: through the proxy. */
  readonly url: string
  readonly leases: readonly LeaseSeen[]
  readonly harms: readonly Harm[]
  /** Workers that hold a lease now. */
  busyWorkers(): readonly number[]
  readonly workers: number
  readonly apis: number
  killApi(index: number): Promise<void>
  killWorker(index: number): Promise<void>
  /** The process that computes, or the ffmpeg in it; says whether there was one. */
  killInside(index: number, program: 'child' | 'ffmpeg'): Promise<boolean>
  /** Undefined for the embedded store, which lives and dies with its API. */
  killStore: (() => Promise<void>) | undefined
  /** Stops the store for a while without ending it. */
  freezeStore: ((milliseconds: number) => Promise<void>) | undefined
  /** Undefined where pictures and videos lie on disk. */
  troubleStorage: ((mode: NonNullable<LossyProxy['mode']>, milliseconds: number) => Promise<void>) | undefined
  /** From here on nothing is lost on the way any more. */
  calm(): void
  /** Keys that lie in the storage. */
  objects(): Promise<string[]>
  /** The last lines that every process has printed. */
  diagnosis(): string
  close(): Promise<void>
}

export async function startWorld(store: StoreKind, random: Random): Promise<World> {
  const cleanups: (() => Promise<unknown>)[] = []
  const folder = await mkdtemp(join(tmpdir(), 'kinora-chaos-'))
  cleanups.push(() => rm(folder, { recursive: true, force: true }))

  const service = await startStore(store)
  if (service) cleanups.push(() => service.dispose())
  const bucket = store === 'embedded' ? null : await startBucket(folder, random)
  if (bucket) cleanups.push(() => bucket.close())

  const apis: { readonly port: number; process: RunningProcess; readonly ahead: number }[] = []
  const watcher = createLeaseWatcher()
  const proxy = await startLossyProxy({
    targets: () => apis.map(({ port }) => `http://127.0.0.1:${port}`),
    random,
    faults: NETWORK,
    watch: { path: /^\/api\/v1\/leases/, seen: watcher.seen },
  })
  cleanups.push(() => proxy.close())

  const environment = {
    NODE_ENV: 'production',
    HOST: '127.0.0.1',
    PUBLIC_URL: proxy.url,
    API_KEYS: Object.entries(TENANTS)
      .map(([tenant, key]) => `${tenant}:${key}`)
      .join(','),
    WEBHOOK_SECRET: 'chaos-webhook-secret-0123456789',
    WORKER_TOKEN: 'chaos-worker-token-0123456789',
    DATA_DIR: join(folder, 'data'),
    ...(store === 'redis' && service ? { REDIS_URL: service.url } : {}),
    ...(store === 'postgres' && service ? { DATABASE_URL: service.url } : {}),
    ...bucket?.environment,
    MODELS: 'camera',
    DEFAULT_MODEL: 'camera',
    ALLOW_PRIVATE_NETWORK: 'true',
    LEASE_SECONDS: '5',
    API_URL: proxy.url,
    ENGINE: 'camera',
    MAX_IDLE_SECONDS: '0',
    LOG_LEVEL: 'warn',
  }
  const startApi = (port: number, ahead: number): RunningProcess => {
    const clock = ahead === 0 ? {} : { NODE_OPTIONS: `--import=${SKEWED_CLOCK}`, CLOCK_AHEAD: String(ahead) }
    return startKinora(['serve'], { environment: { ...environment, ...clock, PORT: String(port) } })
  }
  const startWorker = (): RunningProcess => startKinora(['worker'], { environment })

  for (let index = 0; index < (store === 'embedded' ? 1 : 2); index++) {
    const port = await freePort()
    const ahead = index * CLOCKS_APART
    apis.push({ port, ahead, process: startApi(port, ahead) })
  }
  const workers = [startWorker(), startWorker()]
  cleanups.push(() => Promise.all([...apis.map((api) => api.process), ...workers].map((one) => one.end('SIGKILL'))))

  const harms: Harm[] = []
  const workerAt = (index: number): RunningProcess => {
    const worker = workers[index]
    if (!worker) throw new Error(`There is no worker ${index}.`)
    return worker
  }
  const nameOf = (worker: RunningProcess): string => `${hostname()}:${worker.child.pid}`
  function harm(what: string, held: readonly LeaseSeen[]): void {
    for (const { jobId, attempt } of held) harms.push({ what, jobId, attempt })
  }

  return {
    url: proxy.url,
    leases: watcher.leases,
    harms,
    apis: apis.length,
    workers: workers.length,
    busyWorkers: () => workers.flatMap((worker, index) => (watcher.heldBy(nameOf(worker)).length > 0 ? [index] : [])),

    async killApi(index) {
      const api = apis[index]
      if (!api) throw new Error(`There is no API ${index}.`)
      await api.process.end('SIGKILL')
      api.process = startApi(api.port, api.ahead)
    },

    async killWorker(index) {
      const worker = workerAt(index)
      harm('killed the worker', watcher.heldBy(nameOf(worker)))
      const inside = await descendantsOf(worker.child.pid ?? 0)
      await worker.end('SIGKILL')
      // What it had started ends by itself when it notices; here it is ended for certain.
      for (const { pid } of inside) signalQuietly(pid, 'SIGKILL')
      watcher.gone(nameOf(worker))
      workers[index] = startWorker()
    },

    async killInside(index, program) {
      const worker = workerAt(index)
      const inside = await descendantsOf(worker.child.pid ?? 0)
      const victim = inside.find(({ command }) => (program === 'ffmpeg') === /ffmpeg/.test(command))
      if (!victim) return false
      harm(`killed its ${program}`, watcher.heldBy(nameOf(worker)))
      signalQuietly(victim.pid, 'SIGKILL')
      return true
    },

    killStore: service
      ? async () => {
          await service.kill()
          await service.start()
        }
      : undefined,

    freezeStore: service
      ? async (milliseconds) => {
          const frozen = [service.pid, ...(await childrenOf(service.pid))]
          for (const pid of frozen) process.kill(pid, 'SIGSTOP')
          await pause(milliseconds)
          for (const pid of frozen) signalQuietly(pid, 'SIGCONT')
        }
      : undefined,

    troubleStorage: bucket
      ? async (mode, milliseconds) => {
          harm('broke the storage', watcher.open())
          bucket.proxy.mode = mode
          await pause(milliseconds)
          harm('broke the storage', watcher.open())
          bucket.proxy.mode = null
        }
      : undefined,

    calm() {
      proxy.faults = { ...NETWORK, drop: 0, lose: 0, truncate: 0, delay: 0 }
    },

    async objects() {
      const root = bucket ? join(bucket.folder, 'videos') : join(folder, 'data')
      const files = await readdir(root, { recursive: true, withFileTypes: true }).catch(() => [])
      return files
        .filter((file) => file.isFile())
        .map((file) => join(file.parentPath, file.name).replace(/^.*?\/((inputs|outputs|leases|uploads)\/)/, '$1'))
        .map((key) => key.replace(/\._S3rver_\w+(\.\w+)?$/, ''))
        .filter((key) => /^(inputs|outputs|leases|uploads)\//.test(key))
    },

    diagnosis: () =>
      [...apis.map((api) => api.process), ...workers].map((one) => one.output().slice(-2000)).join('\n----\n'),

    async close() {
      for (const cleanup of cleanups.toReversed()) await cleanup().catch(() => undefined)
    },
  }
}

async function startStore(store: StoreKind): Promise<Service | null> {
  if (store === 'redis') return startRedis()
  return store === 'postgres' ? startPostgres() : null
}

const S3_KEYS = { R2_ACCESS_KEY: 'S3RVER', R2_SECRET_KEY: 'S3RVER' }

async function startBucket(parent: string, random: Random) {
  const folder = join(parent, 's3')
  const server = new S3rver({
    port: 0,
    address: '127.0.0.1',
    silent: true,
    directory: folder,
    configureBuckets: [{ name: 'videos', configs: [] }],
  })
  const { port } = await server.run()
  const proxy = await startLossyProxy({ targets: () => [`http://127.0.0.1:${port}`], random })
  return {
    folder,
    proxy,
    environment: {
      ...S3_KEYS,
      R2_ENDPOINT: proxy.url,
      R2_BUCKET: 'videos',
      S3_REGION: 'us-east-1',
      S3_FORCE_PATH_STYLE: 'true',
    },
    async close() {
      await proxy.close()
      await server.close()
    },
  }
}

/** Reads the lease protocol as it passes: who holds what. A lease whose answer was lost on the way is held by nobody. */
function createLeaseWatcher() {
  const leases: LeaseSeen[] = []
  const holder = new Map<string, LeaseSeen>()
  return {
    leases,
    open: () => [...holder.values()],
    heldBy: (worker: string) => [...holder.values()].filter((lease) => lease.worker === worker),
    gone(worker: string) {
      for (const [leaseId, lease] of holder) if (lease.worker === worker) holder.delete(leaseId)
    },
    seen: ({ path, requestBody, status, answerBody, began, delivered }: Exchange): void => {
      if (status !== 200) return
      const [, leaseId, word] = /^\/api\/v1\/leases\/([^/]+)\/(complete|fail|release)$/.exec(path) ?? []
      if (leaseId !== undefined && (word === 'complete' || word === 'fail' || word === 'release')) {
        const lease = leases.find((one) => one.leaseId === leaseId)
        if (!lease) return
        lease.ended = performance.now()
        lease.outcome = { word, status: LeaseEnd.parse(JSON.parse(answerBody)).status }
        holder.delete(leaseId)
      } else if (path === '/api/v1/leases') {
        const answer = Lease.parse(JSON.parse(answerBody))
        const asked = JSON.parse(requestBody) as { worker: string }
        const { lease_id, job_id: jobId, attempt } = answer
        const lease: LeaseSeen = { leaseId: lease_id, jobId, attempt, worker: asked.worker, began }
        leases.push(lease)
        if (delivered) holder.set(lease_id, lease)
      }
    },
  }
}

function signalQuietly(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // It has ended by itself.
  }
}

export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}
