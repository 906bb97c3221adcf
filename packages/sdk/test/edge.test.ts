/** The client in an edge runtime: web standards only, no Node, real requests to a real server. */
import { EdgeVM } from '@edge-runtime/vm'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { bundle } from './bundle.ts'
import { serveMock } from './serve.ts'

test('generates, streams, waits, lists, downloads and verifies in an edge runtime', async () => {
  const served = await serveMock({ apiKey: 'edge', stepInterval: 100 })
  const vm = new EdgeVM()
  vm.evaluate(
    await bundle(`
      import { isApiError, isJobCanceledError, Kinora, verifyWebhook } from '@kinora/sdk'
      export async function run(baseUrl) {
        const kinora = new Kinora({ baseUrl, apiKey: 'edge' })
        const controller = new AbortController()
        const image = new Uint8Array([0xff, 0xd8, 0xff, 0xe0, 1, 2, 3])
        const job = await kinora.generate({ image, duration: 2 }, { signal: controller.signal, idempotencyKey: 'edge-1' })
        const seen = []
        for await (const { status } of kinora.stream(job.job_id)) seen.push(status)
        const done = await kinora.wait(job.job_id, { timeout: 10_000, signal: controller.signal })
        const video = await (await kinora.download(job.job_id)).arrayBuffer()
        const listed = []
        for await (const { job_id } of kinora.list()) listed.push(job_id)
        const missing = await kinora.status('job_none').catch((error) => isApiError(error) && error.code)
        const forged = await verifyWebhook({ headers: new Headers(), body: '{}', secret: 's' }).catch((error) => error.code)
        const other = await kinora.generate({ image_url: 'https://photos.example.com/cat.jpg' })
        await kinora.cancel(other.job_id)
        const canceled = await kinora.wait(other.job_id).catch(isJobCanceledError)
        controller.abort(new Error('enough'))
        const aborted = await kinora.page({ signal: controller.signal }).catch((error) => error.message)
        return { first: seen.length > 0, last: seen.at(-1), done: done.status, bytes: video.byteLength, listed: listed.length, missing, forged, canceled, aborted }
      }`),
  )
  const run: unknown = vm.evaluate(`bundled.run(${JSON.stringify(served.url)})`)
  await expect(run).resolves.toEqual({
    first: true,
    last: 'completed',
    done: 'completed',
    bytes: 16,
    listed: 1,
    missing: 'job_not_found',
    forged: 'missing_headers',
    canceled: true,
    aborted: 'enough',
  })
  await served.close()
})

test('all of it is at most 16 kB minified and gzipped, and carries no zod', async () => {
  const text = await bundle(`export * from '@kinora/sdk'`)
  expect(gzipSync(text, { level: 9 }).length).toBeLessThanOrEqual(16_000)
  expect(text).not.toContain('_zod')
})
