import { serve } from '@hono/node-server'
import { createKinora } from '@kinora/server'
import { embedded } from '@kinora/server/embedded'
import { Hono } from 'hono'

const kinora = await createKinora({
  store: embedded({ dataDir: './.kinora' }), // or redis({ url }), postgres({ url })
  dataDir: './.kinora', // or storage: createS3Storage({ … })
  publicUrl: process.env.PUBLIC_URL!, // https://example.com/video
  apiKey: process.env.API_KEY!, // or authenticate: (request) => ({ tenant })
  workerToken: process.env.WORKER_TOKEN!,
  webhookSecret: process.env.WEBHOOK_SECRET!,
  models: ['camera', 'ltx-video'],
})

const app = new Hono()
app.get('/', (context) => context.text('My app, with videos'))
app.route('/video', kinora.app)
const server = serve({ fetch: app.fetch, port: Number(process.env.PORT) })
process.once('SIGTERM', () => void kinora.close().then(() => server.close()))
