import { spawnSync } from 'node:child_process'
import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { withFileLock } from './file-lock.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kinora-lock-'))
})
afterEach(() => rm(folder, { recursive: true }))

test('lets one in at a time, and leaves nothing behind', async () => {
  const file = join(folder, 'lock')
  let inside = 0
  let most = 0
  const work = async (): Promise<void> => {
    most = Math.max(most, ++inside)
    await new Promise(setImmediate)
    inside--
  }
  await Promise.all(Array.from({ length: 8 }, () => withFileLock(file, work, { pollEvery: 1 })))
  expect(most).toBe(1)
  expect(await readdir(folder)).toEqual([])
})

test('takes over from a process that has died', async () => {
  const file = join(folder, 'lock')
  const { pid } = spawnSync(process.execPath, ['-e', ''])
  await writeFile(file, JSON.stringify({ id: 'x', pid, host: hostname() }))
  expect(await withFileLock(file, async () => 'in')).toBe('in')
})

test('takes over from another machine that gives no sign of life, but not from one that does', async () => {
  const file = join(folder, 'lock')
  await writeFile(file, JSON.stringify({ id: 'x', pid: 1, host: 'elsewhere' }))
  const waited: string[] = []
  const signal = AbortSignal.timeout(300)
  await expect(
    withFileLock(file, async () => 'in', { signal, pollEvery: 10, onWait: (holder) => waited.push(holder) }),
  ).rejects.toThrow()
  expect(waited).toEqual(['process 1 on elsewhere'])
  await utimes(file, new Date(0), new Date(0))
  expect(await withFileLock(file, async () => 'in')).toBe('in')
})

test('is free again after the work has failed', async () => {
  const file = join(folder, 'lock')
  await expect(withFileLock(file, () => Promise.reject(new Error('no')))).rejects.toThrow('no')
  expect(await withFileLock(file, async () => 'in')).toBe('in')
})
