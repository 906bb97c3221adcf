/**
 * Makes a video of one photograph.
 *
 *     API_URL=http://127.0.0.1:3000 API_KEY=… npx tsx generate.ts photo.jpg "the camera drifts to the left" video.mp4
 */
import { isJobFailedError, isKinoraError, Kinora } from '@kinora/sdk'
import { downloadTo, fromPath } from '@kinora/sdk/node'

const [photo, prompt = '', output = 'video.mp4'] = process.argv.slice(2)
const { API_URL, API_KEY } = process.env
if (!photo || !API_URL || !API_KEY) {
  console.error('Usage: API_URL=… API_KEY=… tsx generate.ts PHOTO [PROMPT] [OUTPUT]')
  process.exit(2)
}

const kinora = new Kinora({ baseUrl: API_URL, apiKey: API_KEY })
try {
  const job = await kinora.generate({ image: await fromPath(photo), prompt, duration: 2 })
  console.log(`Job ${job.job_id} is ${job.status}.`)
  const done = await kinora.wait(job.job_id, {
    onProgress: ({ stage, progress }) => console.log(`${stage ?? 'waiting'} ${progress ?? 0} %`),
  })
  await downloadTo(kinora, done.job_id, output)
  console.log(`${output}: ${done.width}x${done.height}, ${done.num_frames} frames, seed ${done.seed}`)
} catch (error) {
  // Every error of the SDK says what happened and which request and job it was about.
  if (isJobFailedError(error)) console.error(`No video: ${error.job.error_message} (${error.code})`)
  else if (isKinoraError(error))
    console.error(`${error.message} (${error.code}, request ${error.requestId ?? 'not sent'})`)
  else throw error
  process.exitCode = 1
}
