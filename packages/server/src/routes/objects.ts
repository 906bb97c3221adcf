/** `/storage/*`: the disk driver's signed URLs. A bucket serves its own. */
import { STORAGE_PATH } from '../storage/index.ts'
import type { Routes } from './parts.ts'

export const objectRoutes: Routes = (app, { storage }) => {
  app.on(['GET', 'PUT'], `${STORAGE_PATH}/:key{.+}`, async (context) => {
    if (!storage.serve) return context.notFound()
    return storage.serve(context.req.raw, context.req.param('key'))
  })
}
