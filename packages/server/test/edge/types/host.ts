/** Compiled against two versions of Hono by types.test.ts: a guest's types must fit the host's. */
import { serve } from '@hono/node-server'
import { createKinora, type KinoraOptions } from '@kinora/server'
import { Hono } from 'hono'

interface Bindings {
  Variables: { user: { id: string } }
}

export async function mount(options: KinoraOptions): Promise<Hono<Bindings>> {
  const kinora = await createKinora({
    ...options,
    authenticate: async (request, context) => {
      const user: unknown = context.get('user')
      return typeof user === 'string' && request.url !== '' ? { tenant: user } : null
    },
  })
  const host = new Hono<Bindings>()
  host.get('/own', (context) => context.text(context.get('user').id))
  host.route('/video', kinora.app)
  serve({ fetch: kinora.app.fetch })
  serve(kinora.app)
  return host
}
