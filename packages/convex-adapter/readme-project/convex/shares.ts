import { v } from 'convex/values'
import { internalQuery } from './_generated/server'

export const isShared = internalQuery({
  args: { jobId: v.string(), url: v.string() },
  returns: v.boolean(),
  handler: async () => false,
})
