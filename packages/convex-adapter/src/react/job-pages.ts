/**
 * Which pages a list watches, as a value and its changes.
 *
 * A page is first read as "so many jobs from here". Once it is known where that ends, the page is replaced by "everything from here to there": from then
 * on it grows and shrinks with its jobs and always meets its neighbours. A page that is being replaced is shown until all that replaces it has loaded.
 */
import type { PaginationResult } from 'convex/server'

/** What is asked of the server for one page. */
export interface PageRequest {
  readonly numItems: number
  readonly cursor: string | null
  readonly endCursor?: string
}

export interface Page {
  readonly request: PageRequest
  /** What takes its place as soon as it has loaded. */
  readonly next?: readonly PageRequest[]
}

type Result = PaginationResult<unknown>
/** The results that are there. */
export type Results = (request: PageRequest) => Result | undefined

export function firstPage(numItems: number): readonly Page[] {
  return [{ request: { numItems, cursor: null } }]
}

/** Everything that has to be watched for these pages. */
export function requestsOf(pages: readonly Page[]): PageRequest[] {
  return pages.flatMap(({ request, next = [] }) => [request, ...next])
}

/** The pages after what the results say: replaced where the replacement is there, bounded where an end is known, split where one has grown too long. */
export function advance(pages: readonly Page[], results: Results): readonly Page[] {
  const advanced = pages.flatMap((page): readonly Page[] => {
    if (page.next !== undefined) {
      return page.next.every((request) => results(request) !== undefined)
        ? page.next.map((request) => ({ request }))
        : [page]
    }
    const result = results(page.request)
    const next = result === undefined ? undefined : replacement(page.request, result)
    return [next === undefined ? page : { ...page, next }]
  })
  return advanced.length === pages.length && advanced.every((page, index) => page === pages[index]) ? pages : advanced
}

function replacement(request: PageRequest, result: Result): readonly PageRequest[] | undefined {
  const { endCursor = result.continueCursor } = request
  if (request.endCursor === undefined) return [{ ...request, endCursor }]
  const { pageStatus, splitCursor } = result
  if (!splitCursor || (pageStatus !== 'SplitRequired' && pageStatus !== 'SplitRecommended')) return undefined
  return [
    { ...request, endCursor: splitCursor },
    { ...request, cursor: splitCursor, endCursor },
  ]
}

/** The pages and one more, from where the last one ends. */
export function withOneMore(pages: readonly Page[], results: Results, numItems: number): readonly Page[] {
  const last = pages.at(-1)
  const result = last === undefined ? undefined : results(last.request)
  if (last === undefined || result === undefined) return pages
  // What replaces the last page ends where it ended when that was decided, and there the next one begins.
  const cursor = last.next?.at(-1)?.endCursor ?? last.request.endCursor ?? result.continueCursor
  const bounded = advance([last], results)
  return [...pages.slice(0, -1), ...bounded, { request: { numItems, cursor } }]
}

/** What is to be shown: the jobs up to the first page that is not complete. */
export function readPages(
  pages: readonly Page[],
  results: Results,
): { readonly items: unknown[]; readonly last: Result | undefined } {
  const items: unknown[] = []
  let last: Result | undefined
  for (const { request } of pages) {
    last = results(request)
    if (last === undefined) break
    items.push(...last.page)
    if (last.pageStatus === 'SplitRequired') return { items, last: undefined }
  }
  return { items, last }
}
