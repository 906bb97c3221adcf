/**
 * A user's jobs a page at a time. Components have no `.paginate()`: their pages are ranges of an index, bounded by times of creation.
 *
 * A page with an `endCursor` is everything up to there, however many jobs have come or gone. That is what keeps pages adjacent: queries of a component
 * have no journal in which Convex would note where a page ended, so whoever watches several pages has to say it (`usePaginatedJobs` does).
 */
import type { PaginationOptions, PaginationResult } from 'convex/server'
import { ConvexError, getConvexSize } from 'convex/values'
import type { Doc } from './_generated/dataModel.ts'
import type { QueryCtx } from './_generated/server.ts'

/** The cursor after the last page. */
const END = 'end'

/** What one query reads at most: Convex allows 32,000 rows and 16 MiB. */
const MAX_ROWS = 1000
const MAX_BYTES = 4 * 1024 * 1024

/**
 * One page, newest first. Jobs created at the very same moment are never divided between two pages.
 *
 * A page up to an `endCursor` that has grown past what a query may read ends early with `pageStatus: 'SplitRequired'`: read it again as two pages, up
 * to `splitCursor` and from there. One that has merely grown long says `SplitRecommended`.
 */
export async function readPage(
  ctx: Pick<QueryCtx, 'db'>,
  userId: string,
  { numItems, cursor, endCursor }: PaginationOptions,
): Promise<PaginationResult<Doc<'videoJobs'>>> {
  if (cursor === END) return { page: [], isDone: true, continueCursor: END }
  const before = cursor === null ? Number.MAX_VALUE : toTime(cursor)
  const isBounded = endCursor !== null && endCursor !== undefined
  const from = !isBounded || endCursor === END ? 0 : toTime(endCursor)
  const wanted = Math.max(1, Math.floor(numItems))
  const size = isBounded ? MAX_ROWS : Math.min(wanted, MAX_ROWS)

  const rows = ctx.db
    .query('videoJobs')
    .withIndex('by_user', (q) => q.eq('userId', userId).gte('_creationTime', from).lt('_creationTime', before))
    .order('desc')
  const page: Doc<'videoJobs'>[] = []
  let bytes = 0
  for await (const row of rows) {
    const last = page.at(-1)
    if (last !== undefined && last._creationTime !== row._creationTime && (page.length >= size || bytes > MAX_BYTES)) {
      const cut = String(last._creationTime)
      return isBounded
        ? { page, isDone: endCursor === END, continueCursor: endCursor, pageStatus: 'SplitRequired', splitCursor: cut }
        : { page, isDone: false, continueCursor: cut }
    }
    page.push(row)
    bytes += getConvexSize(row)
  }
  if (!isBounded) return { page, isDone: true, continueCursor: END }
  const whole = { page, isDone: endCursor === END, continueCursor: endCursor }
  const middle = page[Math.floor(page.length / 2)]
  return page.length > 2 * wanted && middle !== undefined
    ? { ...whole, pageStatus: 'SplitRecommended', splitCursor: String(middle._creationTime) }
    : whole
}

/** @throws ConvexError as Convex has it for cursors that are none, so that hooks begin again */
function toTime(cursor: string): number {
  const time = Number(cursor)
  if (Number.isFinite(time)) return time
  throw new ConvexError({
    isConvexSystemError: true,
    paginationError: 'InvalidCursor',
    message: 'InvalidCursor: this cursor is not from listByUser.',
  })
}
