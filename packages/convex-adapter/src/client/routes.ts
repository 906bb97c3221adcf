/** The webhook in an app's own router, for apps that do not mount the component. */
import { httpActionGeneric, type HttpRouter } from 'convex/server'
import type { ComponentApi } from '../component/_generated/component.ts'
import { toMessage, toResponse } from '../component/request.ts'

/** The path of the original contract. */
export const DEFAULT_WEBHOOK_PATH = '/api/webhooks/video-complete'

export interface RegisterRoutesOptions {
  /** Where the server's messages come in. Default `/api/webhooks/video-complete`. Give `Kinora` the same as `webhookUrl`. */
  readonly path?: string
}

/**
 * Adds the webhook's route to the app's router.
 *
 * ```ts
 * // convex/http.ts
 * registerRoutes(http, components.kinora, { path: '/hooks/video' })
 * // convex/videos.ts
 * const kinora = new Kinora(components.kinora, { webhookUrl: '/hooks/video' })
 * ```
 */
export function registerRoutes(
  http: HttpRouter,
  component: ComponentApi,
  { path = DEFAULT_WEBHOOK_PATH }: RegisterRoutesOptions = {},
): void {
  http.route({
    path,
    method: 'POST',
    handler: httpActionGeneric(async (ctx, request) => {
      const message = await toMessage(request)
      return toResponse('status' in message ? message : await ctx.runAction(component.webhook.receiveWebhook, message))
    }),
  })
}
