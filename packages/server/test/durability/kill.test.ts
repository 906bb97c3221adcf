/** Whatever was acknowledged survives kill -9 of the process: no job is lost, every video is whole, every webhook arrives. */
import { fork, type ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { outputKeys } from '../../src/jobs/keys.ts'
import { type Bench, createBench, MP4 } from '../services/bench.ts'
import { end, type Service } from '../services/service.ts'
import { STORES } from '../services/stores.ts'

const PROCESS = new URL('./server-process.ts', import.meta.url)
const JOBS = 60
const KILLS = 4

interface Message {
  accepted?: string
  statuses?: string[]
}

describe.each(STORES)('kill -9 on $kind', ({ kind, missing, start }) => {
  let bench: Bench
  let service: Service | undefined
  let child: ChildProcess | undefined
  beforeEach(async () => {
    bench = await createBench()
    if (!missing) service = await start?.()
  })
  afterEach(async () => {
    if (child) await end(child, 'SIGKILL')
    await service?.dispose()
    await bench.dispose()
  })

  async function boot(accepted: Set<string>): Promise<ChildProcess> {
    const address = service?.url ?? join(bench.folder, 'data')
    const booted = fork(PROCESS, [kind, address, join(bench.folder, 'objects'), bench.url('')], {
      execArgv: ['--conditions=@kinora/source', '--import', 'tsx'],
    })
    booted.on('message', (message: Message) => message.accepted !== undefined && accepted.add(message.accepted))
    await new Promise((resolve, reject) => {
      booted.once('message', resolve)
      booted.once('exit', (code) => reject(new Error(`the server ended with ${code} before it was ready`)))
    })
    return booted
  }

  it.skipIf(missing !== false)('loses nothing that it acknowledged', { timeout: 400_000 }, async () => {
    const accepted = new Set<string>()
    for (let kill = 0; kill <= KILLS; kill++) {
      child = await boot(accepted)
      const target = (JOBS * (kill + 1)) / (KILLS + 1)
      while (accepted.size < target) {
        for (let index = 0; index < 4; index++) child.send('add')
        const before = accepted.size
        await expect.poll(() => accepted.size, { timeout: 20_000, interval: 5 }).toBeGreaterThan(before)
      }
      if (kill < KILLS) await end(child, 'SIGKILL')
    }

    const ids = [...accepted]
    await expect
      .poll(
        () =>
          new Promise<string[]>((resolve) => {
            const listen = (message: Message): void => {
              if (!message.statuses) return
              child?.off('message', listen)
              resolve([...new Set(message.statuses)])
            }
            child?.on('message', listen)
            child?.send(ids)
          }),
        { timeout: 250_000, interval: 300 },
      )
      .toEqual(['completed'])
    for (const jobId of ids) {
      expect(await bench.storage.head(outputKeys(jobId).video)).toMatchObject({ size: MP4.length })
    }
    await expect
      .poll(
        () => {
          const told = new Set(bench.received.map(({ headers }) => headers['webhook-id']))
          return ids.filter((jobId) => !told.has(`msg_${jobId}`))
        },
        { timeout: 90_000, interval: 200 },
      )
      .toEqual([])
  })
})
