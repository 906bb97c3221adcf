import { Kinora } from '@kinora/convex'
import type { PaginationOptions } from 'convex/server'
import { components } from './_generated/api'
import type { Id } from './_generated/dataModel'
import type { ActionCtx } from './_generated/server'

const kinora = new Kinora(components.kinora)

export async function own(
  ctx: ActionCtx,
  userId: string,
  storageId: Id<'_storage'>,
  albumId: string,
  paginationOpts: PaginationOptions,
) {
  /* block own */
}
