import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { openScratch } from './scratch.ts'

test('what a killed worker left is removed, what a running one has stays', async () => {
  const parent = await mkdtemp(join(tmpdir(), 'kinora-scratch-test-'))
  try {
    const { stdout } = await promisify(execFile)(process.execPath, ['-p', 'process.pid'])
    const [gone, alive] = [`kinora-worker-${stdout.trim()}-left`, `kinora-worker-${process.pid}-busy`]
    await mkdir(join(parent, gone))
    await mkdir(join(parent, alive))
    const mine = await openScratch(parent)
    expect((await readdir(parent)).sort()).toEqual([alive, basename(mine)].sort())
  } finally {
    await rm(parent, { recursive: true, force: true })
  }
})
