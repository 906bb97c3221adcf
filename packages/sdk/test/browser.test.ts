/** The client in a real browser, on a page of another origin than the server: CORS, upload progress, streams, downloads. */
import { spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { serveKinora } from '@kinora/server'
import { embedded } from '@kinora/server/embedded'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { bundle } from './bundle.ts'
import { serve } from './serve.ts'
import { findChromium } from '../../../test/harness/chromium.ts'
import { testWorker, videoOf } from './worker.ts'

const chromium = findChromium()

/** What the page tells at its end. */
interface Result {
  error?: string
  progress: number[]
  statuses: string[]
  bytes: number
  refused: string
}

test.skipIf(chromium === null)(
  'in Chromium (skipped where there is none)',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'kinora-sdk-browser-'))
    const server = await serveKinora({
      port: 0,
      host: '127.0.0.1',
      store: embedded({ dataDir: folder, template: process.env.KINORA_TEST_TEMPLATE }),
      dataDir: folder,
      apiKey: 'browser-key',
      workerToken: 'worker-token',
      webhookSecret: 'webhook secret',
      models: ['camera'],
      logger: pino({ level: 'silent' }),
    })
    const script = await bundle(`
    import { isApiError, Kinora } from '@kinora/sdk'
    async function run() {
      const kinora = new Kinora({ baseUrl: ${JSON.stringify(server.url)}, apiKey: 'browser-key' })
      const canvas = Object.assign(document.createElement('canvas'), { width: 1200, height: 800 })
      const context = canvas.getContext('2d')
      const noise = context.createImageData(1200, 800)
      for (let at = 0; at < noise.data.length; at++) noise.data[at] = at % 4 === 3 ? 255 : (at * 7919) % 251
      context.putImageData(noise, 0, 0)
      const blob = await new Promise((resolve) => canvas.toBlob(resolve, 'image/png'))
      const file = new File([blob], 'noise.png', { type: '' })
      const progress = []
      const job = await kinora.generate({ image: file, duration: 1 }, { onUploadProgress: ({ loaded, total }) => progress.push(loaded / total) })
      const statuses = []
      for await (const { status } of kinora.stream(job.job_id)) statuses.push(status)
      const video = await (await kinora.download(job.job_id)).blob()
      const refused = await kinora.status('none').catch((error) => isApiError(error) && error.code + ' ' + typeof error.requestId)
      return { progress, statuses, bytes: video.size, refused }
    }
    run().catch((error) => ({ error: error.name + ': ' + error.message })).then((result) => fetch('/result', { method: 'POST', body: JSON.stringify(result) }))`)

    const told = new EventEmitter<{ result: [Result] }>()
    const result = once(told, 'result') as Promise<[Result]>
    const page = await serve(async (request, response) => {
      if (request.method === 'POST') {
        let text = ''
        for await (const chunk of request) text += String(chunk)
        told.emit('result', JSON.parse(text) as Result)
        return response.end()
      }
      response.setHeader('content-type', 'text/html; charset=utf-8')
      return response.end(
        `<!doctype html><title>Kinora</title><script>${script.replaceAll('</script', '<\\/script')}</script>`,
      )
    })
    const profile = await mkdtemp(join(tmpdir(), 'kinora-chromium-'))
    const arguments_ = [
      '--headless=new',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-dev-shm-usage',
      `--user-data-dir=${profile}`,
    ]
    const browser = spawn(chromium ?? '', [...arguments_, page.url], { stdio: 'ignore' })
    try {
      const worker = testWorker(server.url, 'worker-token')
      const working = worker.claim().then(async (lease) => {
        await worker.heartbeat(lease, 50)
        return worker.complete(lease, videoOf(5000))
      })
      // A page that fails makes no job: then its reason is worth more than waiting for one.
      await Promise.race([working, result])
      const [{ error, progress, statuses, bytes, refused }] = await result
      expect(error).toBeUndefined()
      expect(statuses.at(-1)).toBe('completed')
      expect([bytes, refused]).toEqual([5000, 'job_not_found string'])
      expect([progress[0], progress.at(-1)]).toEqual([0, 1])
      // Between start and end: XMLHttpRequest tells on its way.
      expect(progress.length).toBeGreaterThan(2)
    } finally {
      browser.kill('SIGKILL')
      await page.close()
      await server.close({ graceSeconds: 0 })
      await rm(folder, { recursive: true, force: true })
      await rm(profile, { recursive: true, force: true, maxRetries: 5 })
    }
  },
  90_000,
)
