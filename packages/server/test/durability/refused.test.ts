/** A queue that refuses a job for good: what it does not take must not look like a job. */
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Core } from '../../src/core.ts'
import { embedded } from '../../src/stores/embedded/index.ts'
import type { StoreDriver } from '../../src/stores/store.ts'
import { type Bench, createBench, request } from '../services/bench.ts'

/** A store whose queue takes nothing while `refuses` says so. */
function refusing(driver: StoreDriver, refuses: () => boolean): StoreDriver {
  return {
    ...driver,
    async open(context) {
      const store = await driver.open(context)
      return {
        ...store,
        backend: (...parameters) => {
          const backend = store.backend(...parameters)
          for (const name of ['addJob', 'addJobs', 'addFlow'] as const) {
            const add: (...entries: never[]) => Promise<unknown> = backend[name].bind(backend)
            const guarded = async (...entries: never[]): Promise<unknown> => {
              if (refuses()) throw new Error('invalid byte sequence for encoding "UTF8": 0x00')
              return add(...entries)
            }
            Object.assign(backend, { [name]: guarded })
          }
          return backend
        },
      }
    },
  }
}

let bench: Bench
let core: Core
let refuses = false
beforeAll(async () => {
  bench = await createBench()
  core = await bench.core(refusing(embedded({ dataDir: join(bench.folder, 'data') }), () => refuses))
})
afterAll(async () => {
  await core?.close()
  await bench?.dispose()
})

it('leaves no record of a job that the queue refuses, and takes the same request later', async () => {
  const asked = { idempotencyKey: 'the same' }
  const accept = () => core.jobs.accept('default', request(bench.imageUrl), asked)
  refuses = true
  const refused = await Promise.allSettled([accept(), accept(), core.jobs.accept('default', request(bench.imageUrl))])
  expect(refused.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
  expect((await core.jobs.list('default', { limit: 10 })).jobs).toEqual([])

  refuses = false
  const { job, repeated } = await accept()
  expect(repeated).toBe(false)
  expect((await core.jobs.list('default', { limit: 10 })).jobs).toMatchObject([
    { job_id: job.job_id, status: 'queued' },
  ])
})
