import kinora from '@kinora/convex/convex.config'
import { defineApp } from 'convex/server'
import { v } from 'convex/values'

const app = defineApp({ env: { VIDEO_API_URL: v.string(), VIDEO_API_KEY: v.string(), WEBHOOK_SECRET: v.string() } })
app.use(kinora, {
  httpPrefix: '/api/webhooks/',
  env: {
    VIDEO_API_URL: app.env.VIDEO_API_URL,
    VIDEO_API_KEY: app.env.VIDEO_API_KEY,
    WEBHOOK_SECRET: app.env.WEBHOOK_SECRET,
  },
})
// A second one under another name, as apps with two servers have it.
app.use(kinora, { name: 'drafts', env: { VIDEO_API_URL: 'https://drafts.example.com', VIDEO_API_KEY: 'key' } })

export default app
