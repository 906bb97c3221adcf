/** `GET /api/v1/models`: what can be asked for, within which limits, and whether a worker serves it now. */
import { type Model, MODEL_LIMITS, ModelList, paths } from '@kinora/protocol'
import { json, type Route, route } from './route.ts'

export const modelRoutes: readonly Route[] = [
  route({
    method: 'get',
    path: paths.models.pattern,
    auth: 'apiKey',
    tag: 'server',
    summary: 'List models, the default first',
    answers: { 200: json(ModelList, 'The models that requests may name') },
    async handle({ context }, { core }) {
      const models = await Promise.all(
        core.models.map(async (model, index): Promise<Model> => {
          return { model, default: index === 0, available: await core.isServed(model), limits: MODEL_LIMITS }
        }),
      )
      return context.json({ models } satisfies ModelList)
    },
  }),
]
