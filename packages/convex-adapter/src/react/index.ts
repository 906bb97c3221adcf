/** Hooks on top of `useQuery`: a component that shows a job re-renders whenever the job changes, without polling. */
import { type PaginatedQueryReference, type UsePaginatedQueryReturnType, useQuery } from 'convex/react'
import type { FunctionReference, FunctionReturnType } from 'convex/server'
import { useRenewal } from './use-renewal.ts'
import { usePaginatedJobs } from './use-paginated-jobs.ts'

export { usePaginatedJobs } from './use-paginated-jobs.ts'

/** The queries that the hooks read; `kinora.api()` makes them. */
export interface VideoQueries {
  readonly get: FunctionReference<'query', 'public', { jobId: string }>
  readonly listByUser: FunctionReference<'query', 'public', Record<string, never>>
  readonly list?: PaginatedQueryReference
  /** Where it is there, `useVideoJob` has links renewed before they run out. */
  readonly renew?: FunctionReference<'mutation', 'public', { jobId: string }>
}

/** What a list without its query shows: nothing, at compile time. */
type ListOf<Queries extends VideoQueries> = NonNullable<Queries['list']>

export interface VideoHooks<Queries extends VideoQueries> {
  /** The job with its progress; undefined while loading or where there is no id yet, null where there is no such job of this user. */
  readonly useVideoJob: (jobId: string | null | undefined) => FunctionReturnType<Queries['get']> | undefined
  /** The user's newest jobs; undefined while loading. */
  readonly useVideoJobs: () => FunctionReturnType<Queries['listByUser']> | undefined
  /**
   * All of the user's jobs, newest first, a page at a time: `{ results, status, isLoading, loadMore }`, as from Convex's `usePaginatedQuery`.
   * The list stays whole while jobs come and go.
   */
  readonly useVideoJobPages: (options: {
    readonly initialNumItems: number
  }) => UsePaginatedQueryReturnType<ListOf<Queries>>
}

/**
 * Makes the hooks for an app's queries, with their types.
 *
 * ```ts
 * export const { useVideoJob, useVideoJobs, useVideoJobPages } = videoHooks(api.videos)
 * ```
 */
export function videoHooks<Queries extends VideoQueries>(queries: Queries): VideoHooks<Queries> {
  return {
    useVideoJob: (jobId) => {
      const job = useQuery(queries.get, jobId ? { jobId } : 'skip')
      useRenewal(queries.renew, job)
      return job
    },
    useVideoJobs: () => useQuery(queries.listByUser, {}),
    useVideoJobPages: (options) => {
      const { list } = queries
      if (list === undefined) throw new Error('useVideoJobPages reads the query "list": export it from kinora.api().')
      return usePaginatedJobs(list, {}, options)
    },
  }
}
