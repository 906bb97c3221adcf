import { HOUR, RateLimiter } from '@convex-dev/rate-limiter'
import { Kinora } from '@kinora/convex'
import { ConvexError } from 'convex/values'
import { components } from './_generated/api'
import type { QueryCtx } from './_generated/server'

const kinora = new Kinora(components.kinora)
const getUserId = async (ctx: Pick<QueryCtx, 'auth'>) => (await ctx.auth.getUserIdentity())?.subject ?? null

/* block limits */
