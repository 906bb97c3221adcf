/** Who is signed in. Any provider of Convex's works; the page signs in as a guest, see auth.config.ts and src/main.tsx. */
import { v } from 'convex/values'
import type { Id } from './_generated/dataModel'
import { mutation, type QueryCtx } from './_generated/server'

/** The signed-in user, or null. */
export async function getUserId(ctx: QueryCtx): Promise<Id<'users'> | null> {
  const identity = await ctx.auth.getUserIdentity()
  if (identity === null) return null
  const user = await ctx.db
    .query('users')
    .withIndex('by_token', (q) => q.eq('tokenIdentifier', identity.tokenIdentifier))
    .unique()
  return user?._id ?? null
}

/** Called by the page once it is signed in. */
export const store = mutation({
  args: {},
  returns: v.id('users'),
  handler: async (ctx) => {
    const identity = await ctx.auth.getUserIdentity()
    if (identity === null) throw new Error('Called without being signed in.')
    const known = await getUserId(ctx)
    if (known !== null) return known
    return ctx.db.insert('users', { name: identity.name ?? 'Guest', tokenIdentifier: identity.tokenIdentifier })
  },
})
