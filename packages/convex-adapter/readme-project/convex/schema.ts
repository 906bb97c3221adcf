import { defineSchema, defineTable } from 'convex/server'
import { v } from 'convex/values'

export default defineSchema({ videos: defineTable({ userId: v.string(), url: v.optional(v.string()) }) })
