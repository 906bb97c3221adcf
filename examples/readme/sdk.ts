import { Kinora } from '@kinora/sdk'
import { downloadTo, fromPath } from '@kinora/sdk/node'

const kinora = new Kinora({ baseUrl: process.env.API_URL!, apiKey: process.env.API_KEY! })

const job = await kinora.generate({ image: await fromPath('photo.jpg'), prompt: 'zoom in slowly', duration: 2 })
for await (const snapshot of kinora.stream(job.job_id)) console.log(snapshot.status, snapshot.progress)
await downloadTo(kinora, job.job_id, 'video.mp4')
