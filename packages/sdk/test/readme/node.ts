import { Kinora } from '@kinora/sdk'
import { downloadTo, fromPath } from '@kinora/sdk/node'

const kinora = new Kinora({ baseUrl: process.env.KINORA_URL ?? 'http://localhost:3000', apiKey: process.env.API_KEY })

const image = await fromPath('cat.jpg')
const job = await kinora.generate({ image, prompt: 'The cat turns its head', duration: 3 })
const done = await kinora.wait(job.job_id, { onProgress: ({ stage, progress }) => console.log(stage, progress) })
const { bytes } = await downloadTo(kinora, done.job_id, 'cat.mp4')
console.log(`cat.mp4, ${bytes} bytes`)
