/** A process that dies while it brings a picture in loses no job and puts none into the line twice. */
import { fork, type ChildProcess } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { PicturedJob } from '../../src/inputs/index.ts'
import { createPictureHosts, type PictureHosts } from '../services/picture-hosts.ts'
import { end, type Service } from '../services/service.ts'
import { STORES } from '../services/stores.ts'

const PROCESS = new URL('./fetch-process.ts', import.meta.url)

interface Count {
  readonly lined: number
  readonly left: number
}

describe.each(STORES)('kill -9 while pictures come, on $kind', ({ kind, missing, start }) => {
  let folder: string
  let service: Service | undefined
  let hosts: PictureHosts
  let child: ChildProcess | undefined
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kinora-fetch-'))
    hosts = await createPictureHosts()
    if (!missing) service = await start?.()
  })
  afterEach(async () => {
    if (child) await end(child, 'SIGKILL')
    await service?.dispose()
    await hosts.dispose()
    await rm(folder, { recursive: true, force: true })
  })

  function boot(when: 'in the fetch' | 'after the line' | 'take over', jobs: readonly PicturedJob[]): ChildProcess {
    const address = service?.url ?? join(folder, 'data')
    const given = jobs.map((job) => JSON.stringify(job))
    child = fork(PROCESS, [kind, address, join(folder, 'objects'), when, ...given], {
      execArgv: ['--conditions=@kinora/source', '--import', 'tsx'],
    })
    return child
  }

  const exited = (one: ChildProcess) =>
    one.exitCode !== null || one.signalCode !== null
      ? Promise.resolve()
      : new Promise<void>((resolve) => void one.once('exit', () => resolve()))

  const jobWith = (path: string): PicturedJob => ({
    job_id: 'job_killed',
    tenant: 'a',
    model: 'camera',
    created_at: Date.now(),
    pictures: [{ from: { url: hosts.url('host.example', path) } }],
  })

  async function isInLineOnce(job: PicturedJob): Promise<void> {
    const next = boot('take over', [job])
    let count: Count | undefined
    next.on('message', (message: Count | string) => {
      if (typeof message === 'object' && 'lined' in message) count = message
    })
    await new Promise((resolve) => next.once('message', resolve))
    await expect
      .poll(
        () => {
          if (next.connected) next.send('count')
          return count
        },
        { timeout: 60_000, interval: 100 },
      )
      .toEqual({ lined: 1, left: 0 })
  }

  it.skipIf(missing !== false)('has the fetch done again by another process', { timeout: 180_000 }, async () => {
    const first = boot('in the fetch', [jobWith('/drip.jpg')])
    // Starting takes as long as it takes: an embedded store is made first.
    await new Promise((resolve) => first.once('message', resolve))
    await expect.poll(() => hosts.open('/drip.jpg'), { timeout: 20_000 }).toBe(1)
    first.kill('SIGKILL')
    await exited(first)
    await isInLineOnce(jobWith('/picture.jpg'))
  })

  it.skipIf(missing !== false)('adds a job once that was in the line already', { timeout: 180_000 }, async () => {
    const job = jobWith('/picture.jpg')
    await exited(boot('after the line', [job]))
    expect(hosts.asked('/picture.jpg')).toBe(1)
    await isInLineOnce(job)
    // Its picture lay there already.
    expect(hosts.asked('/picture.jpg')).toBe(1)
  })
})
