import { defineComponent } from 'convex/server'
import { v } from 'convex/values'

/** The component's name and its environment, which the app passes on in `app.use(kinora, { env: … })`. */
export default defineComponent('kinora', {
  env: {
    /** Where the Kinora server is, without a trailing path: `https://video.example.com`. */
    VIDEO_API_URL: v.string(),
    /** An API key of that server. */
    VIDEO_API_KEY: v.string(),
    /** The secret its webhooks are signed with. Without it the component asks for results instead of being told. */
    WEBHOOK_SECRET: v.optional(v.string()),
    /** The secret before the last change, so that messages signed with it still count. */
    WEBHOOK_SECRET_PREVIOUS: v.optional(v.string()),
  },
})
