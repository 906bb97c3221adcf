/** The component's environment, read inside handlers: at module scope there is none. */
import { env } from './_generated/server.ts'

/** Where the server is and how to speak to it. */
export interface ServerAccess {
  /** Without a trailing slash. */
  readonly baseUrl: string
  readonly apiKey: string
}

/** The app has not told the component what it needs: nothing that another attempt would mend. */
export class SetupError extends Error {
  override readonly name = 'SetupError'
}

/** @throws SetupError that names what is missing and where it is set */
export function readServerAccess(): ServerAccess {
  const access = { VIDEO_API_URL: env.VIDEO_API_URL, VIDEO_API_KEY: env.VIDEO_API_KEY }
  const missing = Object.entries(access).flatMap(([name, value]) => (value ? [] : [name]))
  if (missing.length > 0) {
    throw new SetupError(
      `Kinora has no ${missing.join(' and no ')}: pass it in convex.config.ts, app.use(kinora, { env: { … } }), and set it with "npx convex env set".`,
    )
  }
  return { baseUrl: access.VIDEO_API_URL.replace(/\/+$/, ''), apiKey: access.VIDEO_API_KEY }
}

/** The secrets that a webhook may be signed with; none where webhooks are not set up. */
export function readWebhookSecrets(): string[] {
  return [env.WEBHOOK_SECRET, env.WEBHOOK_SECRET_PREVIOUS].filter((secret): secret is string => Boolean(secret))
}

/** The deployment's site URL; within a mounted component it includes the mount's prefix. */
export function readSiteUrl(): string | undefined {
  return env.CONVEX_SITE_URL || undefined
}
