/** `/storage/*`: the disk driver's signed URLs. A bucket serves its own. */
import { ImageError } from '../images/index.ts'
import { isUploadKey } from '../jobs/keys.ts'
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
    async handle({ context }, { core, storage }) {
      const key = context.req.param('key')
      if (!storage.serve || key === undefined) return context.notFound()
      const answer = await storage.serve(context.req.raw, key)
      if (method === 'put' && answer.ok && isUploadKey(key)) {
        // Whoever put it hears at once that it is no picture. Where that cannot be told now, its job finds out.
        await core.uploads.arrived(key).catch((error: unknown) => {
          if (error instanceof ImageError) throw error
        })
      }
      return answer
    },
  }),
)
