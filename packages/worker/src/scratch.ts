/** Folders for pictures and videos on their way. Each carries the worker's process id, so that what a killed worker left is found and removed. */

import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const prefix = 'kinora-worker-'

/** Makes a folder of this process, and removes those of workers that are no more. */
export async function openScratch(parent = tmpdir()): Promise<string> {
  const names = await readdir(parent).catch(() => [])
  const stale = names.filter((name) => {
    const owner = /^kinora-worker-(\d+)-/.exec(name)?.[1]
    return owner !== undefined && !isRunning(Number(owner))
  })
  await Promise.all(
    stale.map((name) => rm(join(parent, name), { recursive: true, force: true }).catch(() => undefined)),
  )
  return mkdtemp(join(parent, `${prefix}${process.pid}-`))
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // EPERM: it runs, as another user.
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}
