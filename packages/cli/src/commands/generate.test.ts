/** What the command asks for and what it says afterwards, against the SDK's pretended server. The whole command is tested in test/command.test.ts. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { mockKinora } from '@kinora/sdk/testing'
import { setupServer } from 'msw/node'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { Output } from '../output.ts'
import { generate, type GenerateOptions } from './generate.ts'

const notices = ['This checkpoint has 8 fixed steps; steps: 20 was left aside.']
const mock = mockKinora({ stepInterval: 1 })
const server = setupServer(...mock.handlers)
let folder: string
let said: string[]
let count = 0

beforeAll(async () => {
  server.listen({ onUnhandledRequest: 'error' })
  folder = await mkdtemp(join(tmpdir(), 'kinora-generate-'))
  await writeFile(join(folder, 'cat.jpg'), new Uint8Array([0xff, 0xd8, 0xff, 1]))
  await writeFile(join(folder, 'dog.jpg'), new Uint8Array([0xff, 0xd8, 0xff, 2]))
})
afterEach(() => mock.reset())
afterAll(async () => {
  server.close()
  await rm(folder, { recursive: true, force: true })
})

function run(options: Partial<GenerateOptions>) {
  said = []
  const output: Output = {
    say: (line) => said.push(line),
    // As a worker would report them once it has the job.
    progress: ({ label }) => {
      if (label === 'generating') for (const { job_id } of mock.jobs()) mock.update(job_id, { notices })
    },
    endProgress: () => undefined,
    result: () => undefined,
  }
  const target = { photo: join(folder, 'cat.jpg'), output: join(folder, `${++count}.mp4`), url: mock.baseUrl }
  const common = { ...target, dataDir: folder, settings: {}, environment: {} }
  return generate({ ...common, ...options }, output, new AbortController().signal)
}

test('the last picture and others are uploaded or passed on, the photo stands at the start', async () => {
  const { job } = await run({
    endImage: 'https://photos.test/dog.jpg',
    image: [{ source: join(folder, 'dog.jpg'), place: { frame: 48 }, strength: 0.5 }],
    settings: { metadata: { order: '7' } },
  })
  expect(job.images).toMatchObject([
    { at: 'start', strength: 1 },
    { frame: 48, strength: 0.5 },
    { at: 'end', image_url: 'https://photos.test/dog.jpg' },
  ])
  expect(job.metadata).toEqual({ order: '7' })
  expect(mock.uploads.size).toBe(2)
})

test('notices are said at the end, and stand in the result', async () => {
  const result = await run({ settings: { steps: 20 } })
  expect(result.notices).toEqual(notices)
  expect(said).toEqual(notices)
  expect(result.job.images).toBeUndefined()
})

test('a picture that is not there is refused before a server is asked', async () => {
  await expect(run({ endImage: join(folder, 'nowhere.jpg') })).rejects.toThrow(/nowhere\.jpg/)
  expect(mock.requests).toEqual([])
})
