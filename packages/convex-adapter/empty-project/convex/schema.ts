import { defineSchema, defineTable } from 'convex/server'
import { v } from 'convex/values'

export default defineSchema({
  users: defineTable({ name: v.string() }),
  videos: defineTable({
    userId: v.id('users'),
    jobId: v.string(),
    album: v.string(),
    storageId: v.optional(v.id('_storage')),
  }),
})
