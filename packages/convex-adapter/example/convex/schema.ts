import { defineSchema, defineTable } from 'convex/server'
import { v } from 'convex/values'

export default defineSchema({
  users: defineTable({ name: v.string(), tokenIdentifier: v.string() }).index('by_token', ['tokenIdentifier']),
  /** What the app itself remembers of finished jobs, written by `onComplete`. */
  notifications: defineTable({ userId: v.id('users'), jobId: v.string(), text: v.string() }).index('by_user', [
    'userId',
  ]),
})
