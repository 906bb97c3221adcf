/** `GET /health`: for load balancers, autoscalers and people. */
import { Health, paths } from '@kinora/protocol'
import { json, type Route, route } from './route.ts'

export const healthRoutes: readonly Route[] = [
  route({
    method: 'get',
    path: paths.health.pattern,
    auth: 'none',
    tag: 'server',
    chatty: true,
    summary: 'How the server is',
    answers: { 200: json(Health, 'All is well'), 503: json(Health, "The queue's store cannot be reached") },
    async handle({ context }, { core }) {
      const health = await core.health()
      if (health.redis === 'ok') return context.json(health)
      context.header('retry-after', '5')
      return context.json(health, 503)
    },
  }),
]
