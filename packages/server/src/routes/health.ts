/** `GET /health`: for load balancers, autoscalers and people. */
import { Health } from '@kinora/protocol'
import { described, json } from './describe.ts'
import type { Routes } from './parts.ts'

export const healthRoutes: Routes = (app, { core }) => {
  app.get(
    '/health',
    described({
      summary: 'How the server is',
      tag: 'server',
      auth: 'none',
      responses: { 200: json(Health, 'All is well'), 503: json(Health, "The queue's store cannot be reached") },
    }),
    async (context) => {
      const health = await core.health()
      if (health.redis === 'ok') return context.json(health)
      context.header('retry-after', '5')
      return context.json(health, 503)
    },
  )
}
