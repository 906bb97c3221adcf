/** Who is asking. Replace this with your provider's way: https://docs.convex.dev/auth */
import type { Auth } from 'convex/server'
import { env } from './_generated/server'

/** The signed-in user, or null. */
export async function getUserId(ctx: { auth: Auth }): Promise<string | null> {
  const identity = await ctx.auth.getUserIdentity()
  return identity?.subject ?? (env.GUESTS === 'yes' ? 'guest' : null)
}
