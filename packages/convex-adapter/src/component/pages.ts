/** A user's jobs a page at a time. Components have no `.paginate()`: their pages are ranges of an index, bounded by times of creation. */
import type { PaginationOptions, PaginationResult } from 'convex/server'
import type { Doc } from './_generated/dataModel.ts'
import type { QueryCtx } from './_generated/server.ts'

/** The cursor after the last page. */
const END = 'end'

/** Jobs of one page at most, whatever the caller asks for. */
const MAX_PAGE = 200

/**
 * One page, newest first. Pages stay adjacent while jobs come and go, as `usePaginatedQuery` needs: with an `endCursor` the page is everything up to
 * there. Jobs created at the very same moment are never divided between two pages.
 */
export async function readPage(
  ctx: Pick<QueryCtx, 'db'>,
  userId: string,
  { numItems, cursor, endCursor }: PaginationOptions,
): Promise<PaginationResult<Doc<'videoJobs'>>> {
  if (cursor === END) return { page: [], isDone: true, continueCursor: END }
  const before = cursor === null ? Number.MAX_VALUE : Number(cursor)
  const from = endCursor === null || endCursor === undefined || endCursor === END ? 0 : Number(endCursor)
  const size = endCursor ? MAX_PAGE : Math.min(Math.max(1, Math.floor(numItems)), MAX_PAGE)

  const rows = ctx.db
    .query('videoJobs')
    .withIndex('by_user', (q) => q.eq('userId', userId).gte('_creationTime', from).lt('_creationTime', before))
    .order('desc')
  const page: Doc<'videoJobs'>[] = []
  for await (const row of rows) {
    const last = page.at(-1)
    if (last !== undefined && page.length >= size && last._creationTime !== row._creationTime) {
      return { page, isDone: false, continueCursor: String(last._creationTime) }
    }
    page.push(row)
  }
  return endCursor && endCursor !== END
    ? { page, isDone: false, continueCursor: endCursor }
    : { page, isDone: true, continueCursor: END }
}
