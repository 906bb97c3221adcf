import { mkdtemp, rm, utimes } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createDiskStorage } from './disk/disk-storage.ts'
import type { Storage } from './storage.ts'
import { sweep } from './sweeper.ts'

const DAY = 24 * 3600
const now = new Date()
let folder: string
let storage: Storage
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'kinora-sweep-'))
  storage = createDiskStorage({ folder, publicUrl: 'http://localhost' })
})
afterEach(() => rm(folder, { recursive: true }))

async function put(key: string, ageInDays: number): Promise<void> {
  await storage.put(key, new Uint8Array([1]), { contentType: 'image/jpeg' })
  const time = now.getTime() / 1000 - ageInDays * DAY
  await utimes(path.join(folder, 'objects', key), time, time)
}

async function keys(): Promise<string[]> {
  const found: string[] = []
  for await (const { key } of storage.list('')) found.push(key)
  return found.toSorted((a, b) => a.localeCompare(b))
}

describe('sweeping', () => {
  it('removes uploads that no job used and results of lost leases, and leaves videos alone', async () => {
    await put('uploads/t_anna/old', 8)
    await put('uploads/t_anna/new', 6)
    await put('leases/old/output.mp4', 1.1)
    await put('leases/new/output.mp4', 0.9)
    await put('outputs/job/output.mp4', 1000)
    expect(await sweep({ storage, objectTtl: undefined, now })).toBe(2)
    expect(await keys()).toEqual(['leases/new/output.mp4', 'outputs/job/output.mp4', 'uploads/t_anna/new'])
  })

  it('removes pictures and videos too where the operator wants it', async () => {
    for (const age of [29, 31]) {
      await put(`inputs/job_${age}/input.jpg`, age)
      await put(`outputs/job_${age}/output.mp4`, age)
    }
    expect(await sweep({ storage, objectTtl: 30 * DAY, now })).toBe(2)
    expect(await keys()).toEqual(['inputs/job_29/input.jpg', 'outputs/job_29/output.mp4'])
  })
})
