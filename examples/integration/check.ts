/**
 * Checks a deployment from outside, by its address and key alone:
 *
 *     API_URL=https://video.example.com API_KEY=… npx tsx check.ts [--full] [PHOTO]
 *
 * Without --full nothing is left behind: the job it makes is deleted at once. With --full it waits for the finished video, so a worker must run.
 */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { isApiError, Kinora } from '@kinora/sdk'

const { values, positionals } = parseArgs({
  options: {
    full: { type: 'boolean', default: false },
    model: { type: 'string' },
    timeout: { type: 'string', default: '900' },
  },
  allowPositionals: true,
})
const { API_URL, API_KEY } = process.env
if (!API_URL || !API_KEY) {
  console.error('Set API_URL and API_KEY.')
  process.exit(2)
}
const photo = new Blob([
  await readFile(positionals[0] ?? fileURLToPath(new URL('../assets/coffee.jpg', import.meta.url))),
])
const kinora = new Kinora({ baseUrl: API_URL, apiKey: API_KEY })
const settings = { prompt: 'zoom in slowly', duration: 1, ...(values.model ? { model: values.model } : {}) }

let failed = 0
async function check(name: string, body: () => Promise<string>): Promise<void> {
  const started = performance.now()
  try {
    const found = await body()
    console.log(`ok    ${name}: ${found} (${Math.round(performance.now() - started)} ms)`)
  } catch (error) {
    failed += 1
    console.log(`FAIL  ${name}: ${error instanceof Error ? error.message : String(error)}`)
  }
}

await check('health', async () => {
  const health = await kinora.health()
  if (health.redis !== 'ok') throw new Error(`the queue's store says "${health.redis}"`)
  return `${health.queue.pending} waiting, ${health.queue.processing} processing`
})

await check('a wrong key is refused', async () => {
  const stranger = new Kinora({ baseUrl: API_URL, apiKey: 'certainly-not-a-key', retries: 0 })
  const error: unknown = await stranger.status('job_of_nobody').catch((reason: unknown) => reason)
  if (!isApiError(error) || error.status !== 401) throw new Error(`expected 401, got ${String(error)}`)
  return '401'
})

await check('bad input is refused with reasons', async () => {
  const error: unknown = await kinora.generate({ image: photo, duration: 99 }).catch((reason: unknown) => reason)
  if (!isApiError(error) || error.status !== 400 || error.issues.length === 0)
    throw new Error(`expected 400 with issues, got ${String(error)}`)
  return error.issues.map((issue) => `${issue.path} ${issue.message}`).join('; ')
})

await check('generate, status, list, cancel, delete', async () => {
  const job = await kinora.generate({ image: photo, ...settings })
  try {
    const status = await kinora.status(job.job_id)
    const { jobs } = await kinora.page({ limit: 5 })
    if (!jobs.some((listed) => listed.job_id === job.job_id)) throw new Error('the new job is not in the list')
    await kinora.cancel(job.job_id)
    return `${job.job_id} was ${status.status}`
  } finally {
    await kinora.delete(job.job_id)
  }
})

if (values.full) {
  await check('a finished video', async () => {
    const job = await kinora.generate({ image: photo, ...settings })
    const done = await kinora.wait(job.job_id, { timeout: Number(values.timeout) * 1000 })
    const video = new Uint8Array(await (await kinora.download(done.job_id)).arrayBuffer())
    // An mp4 begins with the box `ftyp`.
    if (new TextDecoder().decode(video.subarray(4, 8)) !== 'ftyp') throw new Error('what came is not an mp4')
    await kinora.delete(done.job_id)
    return `${done.width}x${done.height}, ${done.num_frames} frames, ${Math.ceil(video.byteLength / 1024)} kB`
  })
}

console.log(failed === 0 ? 'The deployment is fine.' : `${failed} checks failed.`)
process.exitCode = failed === 0 ? 0 : 1
