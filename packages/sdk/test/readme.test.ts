/** The README's code stands in the files of `readme/`, type-checked with the package and run here. */
import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { signWebhook } from '@kinora/protocol'
import { fixtures } from '@kinora/protocol/fixtures'
import { expect, test, vi } from 'vitest'
import { ApiError, Kinora } from '../src/index.ts'
import { mockKinora } from '../src/testing/index.ts'
import { orderVideo } from './readme/errors.ts'
import { receive } from './readme/webhook.ts'
import { serveMock } from './serve.ts'

const folder = fileURLToPath(new URL('./readme/', import.meta.url))

test('the README shows the examples as they run', async () => {
  const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8')
  for (const file of await readdir(folder)) {
    expect(readme, file).toContain(`\`\`\`ts\n${await readFile(join(folder, file), 'utf8')}\`\`\``)
  }
  expect(readme.match(/^```ts/gm)).toHaveLength((await readdir(folder)).length)
})

test('the Node example turns cat.jpg into cat.mp4', async () => {
  const served = await serveMock({ apiKey: 'key' })
  const cwd = await mkdtemp(join(tmpdir(), 'kinora-readme-'))
  await writeFile(join(cwd, 'cat.jpg'), new Uint8Array([0xff, 0xd8, 0xff, 0xe0]))
  const arguments_ = ['--conditions=@kinora/source', '--import', import.meta.resolve('tsx'), join(folder, 'node.ts')]
  const env = { ...process.env, KINORA_URL: served.url, API_KEY: 'key' }
  const { stdout } = await promisify(execFile)(process.execPath, arguments_, { cwd, env })
  expect(stdout).toMatch(/uploading 100\ncat\.mp4, 16 bytes\n$/)
  expect((await stat(join(cwd, 'cat.mp4'))).size).toBe(16)
  await rm(cwd, { recursive: true })
  await served.close()
})

test('the browser example gives a video, with the page’s address as base', async () => {
  vi.stubGlobal('location', { href: 'https://app.test/photos' })
  const mock = mockKinora({ baseUrl: 'https://app.test/kinora' })
  const { setupServer } = await import('msw/node')
  const server = setupServer(...mock.handlers)
  server.listen()
  vi.spyOn(console, 'log').mockReturnValue()
  const { makeVideo } = await import('./readme/browser.ts')
  const statuses: string[] = []
  const file = new File([new Uint8Array([0xff, 0xd8, 0xff])], 'cat.jpg')
  const video = await makeVideo(file, ({ status }) => statuses.push(status), new AbortController().signal)
  expect([video.size, statuses.at(-1)]).toEqual([16, 'completed'])
  server.close()
  vi.unstubAllGlobals()
})

test('the error example tells each case apart', async () => {
  const served = await serveMock({ outcome: () => ({ error_message: 'No cat', error_code: 'image_invalid' }) })
  const kinora = new Kinora({ baseUrl: served.url })
  const image_url = 'https://photos.example.com/cat.jpg'
  await expect(orderVideo(kinora, '1', image_url)).resolves.toBe('failed (image_invalid): No cat')
  await expect(orderVideo(kinora, '2', 'cat.jpg')).resolves.toBe('image_url must be an http or https URL')
  served.mock.failNext({ status: 401, code: 'unauthorized', error: 'Invalid API key' })
  const log = vi.spyOn(console, 'error').mockReturnValue()
  await expect(orderVideo(kinora, '3', image_url)).rejects.toBeInstanceOf(ApiError)
  expect(log).toHaveBeenCalledOnce()
  await served.close()
})

test('the webhook example takes each message once, and no forged one', async () => {
  const log = vi.spyOn(console, 'log').mockReturnValue()
  log.mockClear()
  const body = JSON.stringify(fixtures['webhook-failed'].value)
  const headers = await signWebhook({ id: 'msg_1', timestamp: new Date(), body, secrets: ['shh'] })
  const request = () => new Request('https://app.test/hook', { method: 'POST', body, headers })
  expect([(await receive(request(), 'shh')).status, (await receive(request(), 'shh')).status]).toEqual([204, 204])
  expect(log).toHaveBeenCalledOnce()
  expect((await receive(request(), 'other')).status).toBe(401)
})
