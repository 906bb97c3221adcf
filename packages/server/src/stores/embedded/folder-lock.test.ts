import { fork, type ChildProcess } from 'node:child_process'
import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { lockFolder } from './folder-lock.ts'

const CONTENDER = new URL('../../../test/services/lock-contender.ts', import.meta.url)

let folder: string
let children: ChildProcess[]
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kinora-lock-'))
  children = []
})
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL')
  await rm(folder, { recursive: true, force: true })
})

/** Another process that tries to take the folder, and keeps it if it can. */
function contend(): Promise<{ child: ChildProcess; answer: string }> {
  const child = fork(CONTENDER, [folder], { execArgv: ['--conditions=@kinora/source', '--import', 'tsx'] })
  children.push(child)
  return new Promise((resolve) => child.once('message', (answer: string) => resolve({ child, answer })))
}

it('is given to one, and again after it was given back', async () => {
  const lock = await lockFolder(folder, 'kinora dev')
  await expect(lockFolder(folder)).rejects.toMatchObject({ code: 'folder_locked' })
  await lock.release()
  await (await lockFolder(folder)).release()
  expect(await readdir(folder)).toEqual([])
})

it('refuses a second process with the name of the first, and lets it in after kill -9', async () => {
  const { child, answer } = await contend()
  expect(answer).toBe('held')
  await expect(lockFolder(folder)).rejects.toThrow(`in use by the contender (process ${child.pid}`)
  const exited = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await exited
  await (await lockFolder(folder)).release()
})

it('has one holder when six race for the folder of a dead one', async () => {
  await writeFile(
    join(folder, 'kinora.lock'),
    JSON.stringify({
      id: 'dead',
      pid: 2 ** 22 - 1,
      host: hostname(),
      name: 'x',
      since: '',
      began: '1',
    }),
  )
  const answers = (await Promise.all(Array.from({ length: 6 }, contend))).map(({ answer }) => answer)
  expect(answers.filter((answer) => answer === 'held')).toHaveLength(1)
})

it('believes another host as long as its file is touched', async () => {
  const file = join(folder, 'kinora.lock')
  await writeFile(
    file,
    JSON.stringify({ id: 'away', pid: 1, host: 'another-container', name: 'kinora serve', since: '', began: null }),
  )
  await expect(lockFolder(folder)).rejects.toThrow('another-container')
  const minuteAgo = new Date(Date.now() - 60_000)
  await utimes(file, minuteAgo, minuteAgo)
  await (await lockFolder(folder)).release()
})
