/** `/storage/*`: the disk driver's signed URLs. A bucket serves its own. */
import { STORAGE_PATH } from '../storage/index.ts'
import { type Route, route } from './route.ts'

export const objectRoutes: readonly Route[] = (['get', 'put'] as const).map((method) =>
  route({
    method,
    path: `${STORAGE_PATH}/:key{.+}`,
    auth: 'none',
    tag: 'server',
    summary: 'Read or write an object by its signed URL',
    hidden: true,
    chatty: true,
    answers: {},
    handle({ context }, { storage }) {
      const key = context.req.param('key')
      if (!storage.serve || key === undefined) return context.notFound()
      return storage.serve(context.req.raw, key)
    },
  }),
)
