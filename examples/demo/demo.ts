/**
 * `npm run demo [PHOTO] [PROMPT]`: a photograph goes the whole way through the real parts. SDK upload → HTTP API → BullMQ → lease → worker
 * process → ONNX Runtime → ffmpeg → storage → event stream → download.
 */
import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Kinora } from '@kinora/sdk'
import { downloadTo, fromPath } from '@kinora/sdk/node'
import { createOutput, startLocal } from 'kinora'

const [photo = fileURLToPath(new URL('../assets/rocket.jpg', import.meta.url)), prompt = 'the camera moves in slowly'] =
  process.argv.slice(2)
const video = resolve('demo.mp4')
const output = createOutput(process)

/** What took how long, in milliseconds, in order. */
const stages: [name: string, milliseconds: number][] = []
let since = performance.now()
function finished(name: string): void {
  const now = performance.now()
  stages.push([name, now - since])
  since = now
}

const local = await startLocal()
try {
  finished('start: server, queue, worker')
  const kinora = new Kinora({ baseUrl: local.url, apiKey: local.apiKey })
  const image = await fromPath(photo)
  const { upload_id } = await kinora.upload(image)
  finished('upload')
  let job = await kinora.generate({ upload_id, prompt, duration: 5 })
  finished('accepted by the API')

  let current = 'waiting for the worker to load its engine'
  for await (job of kinora.stream(job.job_id)) {
    const stage = job.status === 'processing' ? (job.stage ?? 'processing') : job.status
    if (stage !== 'queued' && stage !== current) {
      finished(current)
      current = stage
    }
    output.progress({ label: stage, percent: job.progress ?? 0 })
  }
  if (job.status !== 'completed') throw new Error(job.error_message ?? `The job is ${job.status}.`)
  await downloadTo(kinora, job.job_id, video)
  output.endProgress()
  finished('download')

  for (const [name, milliseconds] of stages) {
    if (name !== 'completed') output.say(`${name.padEnd(44)} ${(milliseconds / 1000).toFixed(2).padStart(6)} s`)
  }
  const { size } = await stat(video)
  output.result(`${video}: ${job.width}x${job.height}, ${job.num_frames} frames, ${Math.ceil(size / 1024)} kB`, {
    video,
  })
} finally {
  await local.close()
}
