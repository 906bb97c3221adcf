/**
 * Kinora inside an app that has users and sessions of its own: who is signed in may make videos, and sees only his own.
 *
 *     PORT=3000 WORKER_TOKEN=… WEBHOOK_SECRET=… npx tsx server.ts
 *     API_URL=http://127.0.0.1:3000/video WORKER_TOKEN=… ENGINE=camera kinora worker
 */
import { randomUUID } from 'node:crypto'
import { serve } from '@hono/node-server'
import { createKinora } from '@kinora/server'
import { embedded } from '@kinora/server/embedded'
import { Hono } from 'hono'
import { getCookie, setCookie } from 'hono/cookie'

const { PORT = '3000', DATA_DIR = './.kinora', WORKER_TOKEN, WEBHOOK_SECRET } = process.env
if (!WORKER_TOKEN || !WEBHOOK_SECRET) {
  console.error('WORKER_TOKEN and WEBHOOK_SECRET are needed; any long random texts will do.')
  process.exit(2)
}

// The app as it was before: its own sessions, routes and errors.
const sessions = new Map<string, { user: string }>()
const app = new Hono()
app.post('/login', async (context) => {
  const { user } = await context.req.json<{ user: string }>()
  const session = randomUUID()
  sessions.set(session, { user })
  setCookie(context, 'session', session, { httpOnly: true, sameSite: 'Lax' })
  return context.json({ user })
})
app.get('/api/hello', (context) =>
  context.json({ hello: sessions.get(getCookie(context, 'session') ?? '')?.user ?? 'stranger' }),
)
app.notFound((context) => context.text("The app's own 404", 404))

// What is new: Kinora asks the app who it is. Each user is a tenant of his own.
const kinora = await createKinora({
  store: embedded({ dataDir: DATA_DIR }),
  dataDir: DATA_DIR,
  publicUrl: `http://127.0.0.1:${PORT}/video`,
  authenticate: (_request, context) => {
    const session = sessions.get(getCookie(context, 'session') ?? '')
    return session ? { tenant: session.user } : null
  },
  workerToken: WORKER_TOKEN,
  webhookSecret: WEBHOOK_SECRET,
  models: ['camera'],
})
app.route('/video', kinora.app)

const server = serve({ fetch: app.fetch, port: Number(PORT), hostname: '127.0.0.1' }, ({ port }) => {
  console.log(`Listening at http://127.0.0.1:${port}, videos under /video`)
})
process.once('SIGTERM', () => {
  void kinora.close().then(() => server.close())
})
