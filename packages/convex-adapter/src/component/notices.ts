/** What a deployment's operator is told, once: in the log of the function that found it out. */
import type { MutationCtx } from './_generated/server.ts'
import { REMEDIES, type RefusalKind } from './refusals.ts'

/** What begins with this is forgotten once the server answers again, so that the next outage is told as well. */
const REFUSAL = 'refusal:'

/** A server that answers and refuses by turns is told of once in this time. Milliseconds. */
const QUIET = 60 * 60 * 1000

/** Writes a warning to the log, unless it stands there already. */
export async function sayOnce(ctx: MutationCtx, name: string, text: string): Promise<void> {
  const said = await ctx.db
    .query('notices')
    .withIndex('by_name', (q) => q.eq('name', name))
    .first()
  if (said !== null) return
  await ctx.db.insert('notices', { name, at: Date.now() })
  console.warn(text)
}

/** Says that the server cannot be asked, once for each kind of reason, with what to do about it. */
export async function sayRefused(ctx: MutationCtx, what: string, kind: RefusalKind, message: string): Promise<void> {
  const end = /[.!?]$/.test(message) ? '' : '.'
  await sayOnce(
    ctx,
    REFUSAL + kind,
    `Kinora could not ${what}: ${message}${end} ${REMEDIES[kind]} It is tried again, with growing pauses.`,
  )
}

/** The server has answered: the next refusal is news. */
export async function sayAnswered(ctx: MutationCtx): Promise<void> {
  const told = await ctx.db
    .query('notices')
    .withIndex('by_name', (q) => q.gte('name', REFUSAL).lt('name', `${REFUSAL}~`))
    .take(20)
  for (const { _id, at } of told) if (at < Date.now() - QUIET) await ctx.db.delete(_id)
}
