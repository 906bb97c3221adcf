/** `GET /api/v1/models`: what can be asked for, within which limits, and whether a worker serves it now. */
import { limitsOf, type Model, ModelList, paths } from '@kinora/protocol'
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
          const [available, abilities] = await Promise.all([core.isServed(model), core.abilitiesOf(model)])
          const known = abilities ? { abilities } : {}
          return { model, default: index === 0, available, ...known, limits: limitsOf(abilities) }
        }),
      )
      return context.json({ models } satisfies ModelList)
    },
  }),
]
