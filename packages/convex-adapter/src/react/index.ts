/** Hooks on top of `useQuery`: a component that shows a job re-renders whenever the job changes, without polling. */
import { useQuery } from 'convex/react'
import type { FunctionReference, FunctionReturnType } from 'convex/server'

/** The two queries that the hooks read; `kinora.api()` makes both. */
export interface VideoQueries {
  readonly get: FunctionReference<'query', 'public', { jobId: string }>
  readonly listByUser: FunctionReference<'query', 'public', Record<string, never>>
}

export interface VideoHooks<Queries extends VideoQueries> {
  /** The job with its progress; undefined while loading or where there is no id yet, null where there is no such job of this user. */
  readonly useVideoJob: (jobId: string | null | undefined) => FunctionReturnType<Queries['get']> | undefined
  /** The user's jobs, newest first; undefined while loading. */
  readonly useVideoJobs: () => FunctionReturnType<Queries['listByUser']> | undefined
}

/**
 * Makes the hooks for an app's queries, with their types.
 *
 * ```ts
 * export const { useVideoJob, useVideoJobs } = videoHooks(api.videos)
 * ```
 */
export function videoHooks<Queries extends VideoQueries>(queries: Queries): VideoHooks<Queries> {
  return {
    useVideoJob: (jobId) => useQuery(queries.get, jobId ? { jobId } : 'skip'),
    useVideoJobs: () => useQuery(queries.listByUser, {}),
  }
}
