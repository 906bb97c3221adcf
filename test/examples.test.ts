/** Every example, run as its reader would run it, against one Kinora on this machine. */
import { copyFile, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Kinora } from '@kinora/sdk'
import { fromPath } from '@kinora/sdk/node'
import { type LocalKinora, startLocal } from 'kinora'
import { chromium } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freePort } from '../packages/server/test/services/free-port.ts'
import { findChromium } from './harness/chromium.ts'
import { type RunningProcess, startKinora, startProgram, startTypeScript } from './harness/processes.ts'
import { countFrames } from './harness/video.ts'

const example = (path: string): string => fileURLToPath(new URL(`../examples/${path}`, import.meta.url))
const PHOTO = example('assets/chelsea.jpg')
const SECRETS = { WORKER_TOKEN: 'worker-token-of-the-examples', WEBHOOK_SECRET: 'webhook-secret-of-the-examples' }
const SMALL = { duration: 1, width: 192, height: 128 }

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kinora-examples-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

describe('against a server', { timeout: 120_000 }, () => {
  let local: LocalKinora
  let environment: { API_URL: string; API_KEY: string }
  beforeAll(async () => {
    local = await startLocal()
    environment = { API_URL: local.url, API_KEY: local.apiKey }
  })
  afterAll(() => local?.close())

  it('node-script makes a video', async () => {
    const video = join(folder, 'node-script.mp4')
    const run = startTypeScript(example('node-script/generate.ts'), [PHOTO, 'the camera drifts to the left', video], {
      environment,
    })
    expect(await run.ended(), run.output()).toMatchObject({ code: 0 })
    expect(await countFrames(await readFile(video))).toBe(49)
  })

  it('node-script says what is wrong with a picture that is none', async () => {
    const run = startTypeScript(example('node-script/generate.ts'), [fileURLToPath(import.meta.url)], { environment })
    expect(await run.ended()).toMatchObject({ code: 1 })
    expect(run.output()).toContain('image is not a picture')
  })

  it('curl walks the contract', async () => {
    const video = join(folder, 'curl.mp4')
    const run = startProgram('bash', [example('curl/contract.sh'), PHOTO, video], { environment })
    expect(await run.ended(), run.output()).toMatchObject({ code: 0 })
    expect(run.output()).toContain('All good.')
    expect(await countFrames(await readFile(video))).toBe(25)
  })

  it('integration finds the deployment fine, with --full to the video', async () => {
    const run = startTypeScript(example('integration/check.ts'), ['--full'], { environment })
    expect(await run.ended(), run.output()).toMatchObject({ code: 0 })
    expect(run.output()).toMatch(/ok {4}a finished video: 1024x\d+|ok {4}a finished video/)
    expect(run.output()).toContain('The deployment is fine.')
  })

  it('integration finds a wrong key', async () => {
    const run = startTypeScript(example('integration/check.ts'), [], {
      environment: { ...environment, API_KEY: 'a-wrong-key' },
    })
    expect(await run.ended()).toMatchObject({ code: 1 })
    expect(run.output()).toContain('Invalid API key')
  })

  it('webhook-receiver receives a signed message', async () => {
    const receiver = startTypeScript(example('webhook-receiver/receiver.ts'), [], {
      environment: { ...environment, PORT: '0' },
    })
    try {
      const url = (await receiver.prints(/Webhooks go to (\S+)/))[1]!
      const kinora = new Kinora({ baseUrl: local.url, apiKey: local.apiKey })
      const job = await kinora.generate({ image: await fromPath(PHOTO), ...SMALL, webhook_url: url })
      await receiver.prints(new RegExp(`job.completed ${job.job_id} http`))

      const forged = await fetch(url, { method: 'POST', body: JSON.stringify({ type: 'job.completed' }) })
      expect(forged.status).toBe(401)
    } finally {
      await receiver.end('SIGTERM')
    }
  })

  it("readme/sdk.ts, the README's first code, makes a video", async () => {
    const photo = join(folder, 'photo.jpg')
    await copyFile(PHOTO, photo)
    const run = startTypeScript(example('readme/sdk.ts'), [], { environment, cwd: folder })
    expect(await run.ended(), run.output()).toMatchObject({ code: 0 })
    expect(await countFrames(await readFile(join(folder, 'video.mp4')))).toBe(49)
  })
})

describe('with a server of its own', { timeout: 120_000 }, () => {
  /** Starts the example's server and a worker for it. */
  async function host(
    file: string,
    more: Record<string, string>,
    use: (url: string, server: RunningProcess) => Promise<void>,
    startTheWorker: (environment: Record<string, string>) => RunningProcess = (environment) =>
      startKinora(['worker'], { environment }),
  ): Promise<void> {
    const port = String(await freePort())
    const cwd = await mkdtemp(join(folder, 'host-'))
    const url = `http://127.0.0.1:${port}`
    const server = startTypeScript(example(file), [], {
      environment: { PORT: port, PUBLIC_URL: `${url}/video`, ...SECRETS, ...more },
      cwd,
    })
    const worker = startTheWorker({
      API_URL: `${url}/video`,
      WORKER_TOKEN: SECRETS.WORKER_TOKEN,
      ENGINE: 'camera',
      MAX_IDLE_SECONDS: '0',
    })
    try {
      await expect
        .poll(async () => (await fetch(url).catch(() => null))?.status, { timeout: 30_000, message: server.output() })
        .toBeDefined()
      await use(url, server)
    } finally {
      await Promise.all([worker.end('SIGTERM'), server.end('SIGTERM')])
    }
  }

  it('mount-hono lets in who is signed in, and harms nothing of the app', async () => {
    await host('mount-hono/server.ts', {}, async (url) => {
      const login = await fetch(`${url}/login`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"user":"ada"}',
      })
      const cookie = login.headers.get('set-cookie')!.split(';')[0]!
      expect((await fetch(`${url}/video/api/v1/jobs`)).status).toBe(401)
      expect(await (await fetch(`${url}/api/hello`, { headers: { cookie } })).json()).toEqual({ hello: 'ada' })
      expect(await (await fetch(`${url}/nowhere`)).text()).toBe("The app's own 404")

      const kinora = new Kinora({ baseUrl: `${url}/video`, headers: { cookie } })
      const job = await kinora.generate({ image: await fromPath(PHOTO), ...SMALL })
      const done = await kinora.wait(job.job_id)
      expect(done.result_url).toMatch(new RegExp(`^${url}/video/`))
      const video = await kinora.download(job.job_id)
      expect(await countFrames(new Uint8Array(await video.arrayBuffer()))).toBe(done.num_frames)
    })
  })

  it("readme/mount.ts and readme/worker.ts, the README's server and worker, make a video together", async () => {
    await host(
      'readme/mount.ts',
      { API_KEY: 'api-key-of-the-readme' },
      async (url) => {
        const kinora = new Kinora({ baseUrl: `${url}/video`, apiKey: 'api-key-of-the-readme' })
        const job = await kinora.generate({ image: await fromPath(PHOTO), model: 'camera', ...SMALL })
        expect(await kinora.wait(job.job_id)).toMatchObject({ status: 'completed' })
      },
      (environment) => startTypeScript(example('readme/worker.ts'), [], { environment }),
    )
  })

  it('browser: a person picks a photograph and the video plays', async ({ skip }) => {
    const executablePath = findChromium()
    if (!executablePath) return skip('Chromium was not found: install it, or name it in CHROMIUM_PATH.')
    await host('browser/server.ts', {}, async (url) => {
      const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
      try {
        const page = await browser.newPage()
        const problems: string[] = []
        page.on('pageerror', (error) => problems.push(String(error)))
        await page.goto(url)
        await page.setInputFiles('#photo', PHOTO)
        await page.fill('#prompt', 'zoom in slowly')
        await page.click('#submit')
        await page.waitForSelector('#video:not([hidden])', { timeout: 60_000 })
        // A browser decodes it, which is what the page is for.
        await page.waitForFunction(
          'document.querySelector("#video").readyState >= 2 && document.querySelector("#video").videoWidth > 0',
          null,
          { timeout: 30_000 },
        )
        expect(problems).toEqual([])
      } finally {
        await browser.close()
      }
    })
  })
})
