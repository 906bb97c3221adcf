import kinora from '@kinora/convex/convex.config.js'
import { defineApp } from 'convex/server'
import { v } from 'convex/values'

const app = defineApp({
  env: {
    VIDEO_API_URL: v.string(),
    VIDEO_API_KEY: v.string(),
    WEBHOOK_SECRET: v.optional(v.string()),
    /** "yes" lets everybody in as the same guest, to try the app without setting up sign-in. */
    GUESTS: v.optional(v.string()),
  },
})

app.use(kinora, {
  httpPrefix: '/api/webhooks/',
  env: {
    VIDEO_API_URL: app.env.VIDEO_API_URL,
    VIDEO_API_KEY: app.env.VIDEO_API_KEY,
    WEBHOOK_SECRET: app.env.WEBHOOK_SECRET,
  },
})

export default app
