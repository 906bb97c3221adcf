/** Links that are looked at do not run out. */
import { useConvex } from 'convex/react'
import type { FunctionReference } from 'convex/server'
import { useEffect } from 'react'

/** How long before they run out links are renewed, within the hour in which the component does it. Milliseconds. */
const BEFORE = 50 * 60 * 1000

/** The longest time that a timer can wait for. */
const MAX_TIMER = 2 ** 31 - 1

/** Has the links of a job that is being shown made anew before they run out; the job's query then changes by itself. */
export function useRenewal(
  renew: FunctionReference<'mutation', 'public', { jobId: string }> | undefined,
  job: { readonly _id?: string; readonly linksExpireAt?: number } | null | undefined,
): void {
  const convex = useConvex()
  const { _id: jobId, linksExpireAt } = job ?? {}
  useEffect(() => {
    if (renew === undefined || jobId === undefined || linksExpireAt === undefined) return undefined
    const wait = Math.min(Math.max(linksExpireAt - BEFORE - Date.now(), 0), MAX_TIMER)
    // A renewal that fails is tried by whoever looks next.
    const timer = setTimeout(() => void convex.mutation(renew, { jobId }).catch(() => {}), wait)
    return () => clearTimeout(timer)
  }, [convex, renew, jobId, linksExpireAt])
}
