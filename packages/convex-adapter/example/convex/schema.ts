import { defineSchema, defineTable } from 'convex/server'
import { v } from 'convex/values'

export default defineSchema({
  /** What the app itself remembers of jobs that have ended, written by `onComplete`. */
  notifications: defineTable({ userId: v.string(), jobId: v.string(), text: v.string() }).index('by_user', ['userId']),
})
