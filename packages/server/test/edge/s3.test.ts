/** The way of one job with a bucket for storage: no byte of a picture or video that a client or worker moves passes through the server. */
import { Job, type Lease, paths, Upload } from '@kinora/protocol'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openBucket } from './bucket.ts'
import { openServer, picture, type TestServer, VIDEO } from './server.ts'

let bucket: Awaited<ReturnType<typeof openBucket>>
let server: TestServer
beforeAll(async () => {
  bucket = await openBucket()
  server = await openServer({ storage: bucket.storage })
})
afterAll(async () => {
  await server?.close()
  await bucket?.close()
})

it('goes by presigned URLs of the bucket’s public endpoint from upload to video', async () => {
  const image = new Uint8Array(await picture())
  const placed = await server.post(paths.uploads(), { content_type: 'image/jpeg', content_length: image.byteLength })
  const upload = Upload.parse(await placed.json())
  expect(new URL(upload.upload_url).origin).toBe(bucket.publicEndpoint)
  const put = await fetch(upload.upload_url, { method: 'PUT', headers: upload.headers, body: image })
  expect(put.status).toBe(200)

  const { job_id } = Job.parse(await (await server.post(paths.generate(), { upload_id: upload.upload_id })).json())
  const claimed = await server.asWorker(paths.leases(), { model: 'camera', worker: 'test', wait: 20 })
  const lease = (await claimed.json()) as Lease
  const input = await fetch(lease.image_url)
  expect([input.headers.get('content-type'), (await input.arrayBuffer()).byteLength]).toEqual([
    'image/jpeg',
    image.byteLength,
  ])
  const { video, poster } = lease.uploads
  expect((await fetch(video.url, { method: 'PUT', headers: video.headers, body: VIDEO })).status).toBe(200)
  expect((await fetch(poster.url, { method: 'PUT', headers: poster.headers, body: image })).status).toBe(200)
  expect((await server.asWorker(paths.complete(lease.lease_id))).status).toBe(200)

  const done = Job.parse(await (await server.call(paths.job(job_id))).json())
  for (const [url, type] of [
    [done.result_url, 'video/mp4'],
    [done.poster_url, 'image/jpeg'],
  ] as const) {
    expect(new URL(url!).origin).toBe(bucket.publicEndpoint)
    const answer = await fetch(url!)
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, type])
    await answer.arrayBuffer()
  }
  // A server without files of its own has no files to serve.
  expect((await fetch(`${server.url}/storage/outputs/${job_id}/output.mp4`)).status).toBe(404)

  expect((await server.call(paths.job(job_id), { method: 'DELETE' })).status).toBe(204)
  expect((await fetch(done.result_url!)).status).toBe(404)
})
