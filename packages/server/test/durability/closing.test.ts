/** Closing ends everything that was begun: a process is free at once, whatever it waited for. */
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { end, type Service } from '../services/service.ts'
import { STORES } from '../services/stores.ts'

const PROCESS = new URL('./closing-process.ts', import.meta.url)

describe.each(STORES)('a closed process, on $kind', ({ kind, missing, start }) => {
  let folder: string
  let service: Service | undefined
  let child: ChildProcess | undefined
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kinora-closing-'))
    if (!missing) service = await start?.()
  })
  afterEach(async () => {
    if (child) await end(child, 'SIGKILL')
    await service?.dispose()
    await rm(folder, { recursive: true, force: true })
  })

  it.skipIf(missing)('is kept by no timer and no connection', { timeout: 60_000 }, async () => {
    child = fork(PROCESS, [kind, service?.url ?? '', folder], {
      execArgv: ['--conditions=@kinora/source', '--import', 'tsx'],
      stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    })
    let printed = ''
    child.stdout?.on('data', (chunk: Buffer) => (printed += chunk.toString()))
    await once(child, 'message')

    child.send('close')
    await once(child, 'close')

    expect(printed).toBe('')
  })
})
