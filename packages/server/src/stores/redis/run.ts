/** Runs Lua scripts on Redis, which runs each of them whole: nothing comes between its commands. */
import type { Redis } from 'ioredis'

export type Run = (script: string, keys: readonly string[], args: readonly (string | number)[]) => Promise<unknown>

/** Runs a script by its hash, and sends it whole where the server does not know it yet. */
export function createRunner(redis: Redis): Run {
  const hashes = new Map<string, string>()
  return async (script, keys, args) => {
    let hash = hashes.get(script)
    if (hash === undefined) {
      hash = (await redis.script('LOAD', script)) as string
      hashes.set(script, hash)
    }
    try {
      return await redis.evalsha(hash, keys.length, ...keys, ...args)
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error
      return redis.eval(script, keys.length, ...keys, ...args)
    }
  }
}
