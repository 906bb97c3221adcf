/** A user's program: server, worker and client from the published packages, in one file. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAdaptorServer } from '@hono/node-server'
import { isFinal, type Job } from '@kinora/protocol'
import { fixtures } from '@kinora/protocol/fixtures'
import { isApiError, Kinora, verifyWebhook, WebhookVerificationError } from '@kinora/sdk'
import { downloadTo, fromPath } from '@kinora/sdk/node'
import * as testing from '@kinora/sdk/testing'
import { createKinora, type KinoraOptions } from '@kinora/server'
import { embedded } from '@kinora/server/embedded'
import { readServerSettings } from '@kinora/server/env'
import { postgres } from '@kinora/server/postgres'
import { redis } from '@kinora/server/redis'
import { createWorker } from '@kinora/worker'
import { Hono } from 'hono'
import { startLocal } from 'kinora'

const dataDir = await mkdtemp(join(tmpdir(), 'kinora-user-'))
const app = new Hono()
const server = createAdaptorServer({ fetch: app.fetch })
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/video`

const options: KinoraOptions = {
  store: embedded({ dataDir }),
  dataDir,
  publicUrl: url,
  apiKey: 'the-users-api-key',
  workerToken: 'the-users-worker-token',
  webhookSecret: 'the-users-webhook-secret',
  models: ['camera'],
}
const kinora = await createKinora(options)
app.route('/video', kinora.app)
const worker = createWorker({ apiUrl: url, workerToken: 'the-users-worker-token', engine: 'camera', maxIdleSeconds: 0 })
const running = worker.run()

const client = new Kinora({ baseUrl: url, apiKey: 'the-users-api-key' })
const job: Job = await client.generate({
  image: await fromPath('photo.jpg'),
  prompt: 'zoom in',
  duration: 1,
  width: 192,
  height: 128,
})
let snapshots = 0
for await (const snapshot of client.stream(job.job_id)) {
  snapshots += 1
  if (isFinal(snapshot.status)) assert.equal(snapshot.status, 'completed', snapshot.error_message)
}
assert.ok(snapshots >= 1)
await downloadTo(client, job.job_id, 'video.mp4')
assert.ok((await stat('video.mp4')).size > 1000)

const missing: unknown = await client.status('job_nobody_made').catch((error: unknown) => error)
assert.ok(isApiError(missing) && missing.code === 'job_not_found')
await assert.rejects(verifyWebhook({ headers: {}, body: '{}', secret: 'whsec_c2VjcmV0' }), WebhookVerificationError)
for (const door of [redis, postgres, readServerSettings, startLocal]) assert.equal(typeof door, 'function')
assert.ok(Object.keys(fixtures).length > 0)
assert.ok(Object.keys(testing).length > 0)

worker.stop()
await running
await kinora.close()
server.close()
await rm(dataDir, { recursive: true, force: true })
console.log('The program of a user works: video.mp4')
