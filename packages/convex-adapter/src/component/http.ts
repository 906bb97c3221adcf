/** The component's own route. The app mounts it: `app.use(kinora, { httpPrefix: '/api/webhooks/' })` makes it `POST /api/webhooks/video-complete`. */
import { httpRouter } from 'convex/server'
import { httpAction } from './_generated/server.ts'
import { WEBHOOK_ROUTE } from './addresses.ts'
import { toMessage, toResponse } from './request.ts'
import { receive } from './webhook.ts'

const http = httpRouter()

http.route({
  path: WEBHOOK_ROUTE,
  method: 'POST',
  handler: httpAction(async (ctx, request) => {
    const message = await toMessage(request)
    return toResponse('status' in message ? message : await receive(ctx, message))
  }),
})

export default http
