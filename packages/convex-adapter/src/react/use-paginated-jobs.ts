/** A growing list of jobs that stays whole while jobs come and go. */
import {
  type PaginatedQueryArgs,
  type PaginatedQueryItem,
  type PaginatedQueryReference,
  useConvex,
  type UsePaginatedQueryReturnType,
  useQueries,
} from 'convex/react'
import { getFunctionName } from 'convex/server'
import { ConvexError, convexToJson, type Value } from 'convex/values'
import { useEffect, useMemo, useState } from 'react'
import {
  advance,
  firstPage,
  type Page,
  type PageRequest,
  readPages,
  requestsOf,
  type Results,
  withOneMore,
} from './job-pages.ts'

/**
 * As `usePaginatedQuery` of convex/react, for queries that end in `kinora.list`: same arguments, same result.
 *
 * Convex's own hook relies on a journal in which the server notes where each page ended, and queries of components have none: a new job moves all
 * pages by one, and at each seam a job vanishes or shows twice. This hook sends the end of each page along.
 *
 * ```ts
 * const { results, status, loadMore } = usePaginatedJobs(api.videos.list, {}, { initialNumItems: 20 })
 * ```
 *
 * @param args the query's arguments without `paginationOpts`, or "skip"
 */
export function usePaginatedJobs<Query extends PaginatedQueryReference>(
  query: Query,
  args: PaginatedQueryArgs<Query> | 'skip',
  { initialNumItems }: { readonly initialNumItems: number },
): UsePaginatedQueryReturnType<Query> {
  const { logger } = useConvex()
  const isSkipped = args === 'skip'
  // Equal arguments may be another object in each render.
  const argsText = isSkipped ? 'skip' : JSON.stringify(convexToJson(args as Value))
  const list = `${getFunctionName(query)} ${argsText} ${initialNumItems}`
  const initial = { list, pages: isSkipped ? [] : firstPage(initialNumItems) }
  const [state, setState] = useState<{ list: string; pages: readonly Page[] }>(initial)
  const { pages } = state.list === list ? state : initial
  const set = (change: (pages: readonly Page[]) => readonly Page[]) =>
    setState((current) => {
      const before = current.list === list ? current.pages : initial.pages
      const after = change(before)
      return after === before && current.list === list ? current : { list, pages: after }
    })

  const watched = useMemo(
    () =>
      Object.fromEntries(
        requestsOf(pages).map((request) => [
          keyOf(request),
          { query, args: { ...(args as Record<string, Value>), paginationOpts: { ...request } } },
        ]),
      ),
    // `list` stands for query and args.
    [pages, list],
  )
  const answers = useQueries(watched)
  const error = Object.values(answers).find((answer) => answer instanceof Error)
  if (error !== undefined && !isInvalidCursor(error)) throw error
  const results: Results = (request) => {
    const answer: unknown = answers[keyOf(request)]
    return answer instanceof Error ? undefined : (answer as ReturnType<Results>)
  }

  useEffect(() => {
    if (error === undefined) set((current) => advance(current, results))
    else {
      logger.warn(`usePaginatedJobs begins anew: ${error.message}`)
      setState(initial)
    }
  }, [answers])

  const { items, last } = readPages(pages, results)
  const jobs = items as PaginatedQueryItem<Query>[]
  const ignore = () => {}
  if (last === undefined) {
    const status = items.length === 0 && pages.length <= 1 ? 'LoadingFirstPage' : 'LoadingMore'
    return { results: jobs, status, isLoading: true, loadMore: ignore }
  }
  if (last.isDone) return { results: jobs, status: 'Exhausted', isLoading: false, loadMore: ignore }
  const loadMore = (numItems: number) =>
    // Called twice in a row, it asks for one page.
    set((current) => (current.length > pages.length ? current : withOneMore(current, results, numItems)))
  return { results: jobs, status: 'CanLoadMore', isLoading: false, loadMore }
}

function keyOf({ cursor, endCursor, numItems }: PageRequest): string {
  return JSON.stringify([cursor, endCursor ?? null, numItems])
}

/** A cursor of another list, or of before the component was installed anew. */
function isInvalidCursor(error: Error): boolean {
  const { data }: { data?: unknown } = error instanceof ConvexError ? error : {}
  const isConvexs = typeof data === 'object' && data !== null && 'paginationError' in data
  return (isConvexs && data.paginationError === 'InvalidCursor') || error.message.includes('InvalidCursor')
}
