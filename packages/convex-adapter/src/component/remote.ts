/** Telling the server that a job was canceled or removed here. What the user sees does not wait for it. */
import { v } from 'convex/values'
import type { FunctionReference } from 'convex/server'
import { internal } from './_generated/api.ts'
import { type ActionCtx, internalAction } from './_generated/server.ts'
import { readServerAccess } from './environment.ts'
import { MAX_REMOTE_ATTEMPTS, retryPause } from './pauses.ts'
import { cancelJob, removeJob, ServerError } from './server.ts'

const args = { externalJobId: v.string(), attempt: v.number() }

/** Cancels the job on the server; one that has ended there stays as it is. */
export const cancelRemote = internalAction({
  args,
  returns: v.null(),
  handler: async (ctx, job) => {
    await tell(ctx, internal.remote.cancelRemote, job, () => cancelJob(readServerAccess(), job.externalJobId))
    return null
  },
})

/** Removes the job and its files from the server. */
export const removeRemote = internalAction({
  args,
  returns: v.null(),
  handler: async (ctx, job) => {
    await tell(ctx, internal.remote.removeRemote, job, () => removeJob(readServerAccess(), job.externalJobId))
    return null
  },
})

async function tell(
  ctx: ActionCtx,
  again: FunctionReference<'action', 'internal', { externalJobId: string; attempt: number }, null>,
  { externalJobId, attempt }: { externalJobId: string; attempt: number },
  request: () => Promise<void>,
): Promise<void> {
  try {
    await request()
  } catch (error) {
    // A job that the server does not know needs neither; other refusals would only be repeated.
    const retryable = error instanceof ServerError && error.retryable
    const known = !(error instanceof ServerError && error.code === 'job_not_found')
    if (retryable && attempt < MAX_REMOTE_ATTEMPTS) {
      await ctx.scheduler.runAfter(retryPause(attempt, error.retryAfter), again, {
        externalJobId,
        attempt: attempt + 1,
      })
    } else if (known) {
      console.warn(`Kinora: job ${externalJobId} was not told to the server: ${String(error)}`)
    }
  }
}
