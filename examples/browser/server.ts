/**
 * Serves the page and mounts Kinora beside it, so that the page needs no key: the app says who it is by a cookie.
 *
 *     PORT=3000 WORKER_TOKEN=… WEBHOOK_SECRET=… npx tsx server.ts
 *     API_URL=http://127.0.0.1:3000/video WORKER_TOKEN=… ENGINE=camera kinora worker
 */
import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { serve } from '@hono/node-server'
import { createKinora } from '@kinora/server'
import { embedded } from '@kinora/server/embedded'
import { build } from 'esbuild'
import { Hono } from 'hono'
import { getCookie, setCookie } from 'hono/cookie'

const { PORT = '3000', DATA_DIR = './.kinora', WORKER_TOKEN, WEBHOOK_SECRET } = process.env
if (!WORKER_TOKEN || !WEBHOOK_SECRET) {
  console.error('WORKER_TOKEN and WEBHOOK_SECRET are needed; any long random texts will do.')
  process.exit(2)
}

const { outputFiles } = await build({
  entryPoints: [fileURLToPath(new URL('page.ts', import.meta.url))],
  bundle: true,
  minify: true,
  write: false,
  format: 'esm',
  // Inside Kinora's own workspace the packages are not built; elsewhere the condition matches nothing.
  conditions: ['@kinora/source'],
})
const script = outputFiles[0]?.text ?? ''
const page = await readFile(new URL('index.html', import.meta.url), 'utf8')

const kinora = await createKinora({
  store: embedded({ dataDir: DATA_DIR }),
  dataDir: DATA_DIR,
  publicUrl: `http://127.0.0.1:${PORT}/video`,
  authenticate: (_request, context) => {
    const visitor = getCookie(context, 'visitor')
    return visitor ? { tenant: visitor } : null
  },
  workerToken: WORKER_TOKEN,
  webhookSecret: WEBHOOK_SECRET,
  models: ['camera'],
})

const app = new Hono()
app.get('/', (context) => {
  if (!getCookie(context, 'visitor'))
    setCookie(context, 'visitor', randomUUID(), { httpOnly: true, sameSite: 'Strict' })
  return context.html(page)
})
app.get('/page.js', (context) => context.body(script, 200, { 'content-type': 'text/javascript' }))
app.route('/video', kinora.app)

const server = serve({ fetch: app.fetch, port: Number(PORT), hostname: '127.0.0.1' }, ({ port }) => {
  console.log(`Open http://127.0.0.1:${port}`)
})
process.once('SIGTERM', () => {
  void kinora.close().then(() => server.close())
})
