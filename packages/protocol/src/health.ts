/** `GET /health`: without authorisation, 503 when the queue's store can't be reached. */
import * as z from 'zod/mini'

export const Health = z.object({
  api: z.literal('ok'),
  /** The queue's store, whichever it is; the name is the original contract's. */
  redis: z.string(),
  queue: z.object({
    pending: z.int(),
    processing: z.int(),
    completed: z.int(),
    failed: z.int(),
  }),
  /** `redis`, `postgres` or `embedded`. */
  backend: z.optional(z.string()),
  /** By model: jobs waiting, and how many seconds ago a worker last asked for it (null: not since the start). */
  models: z.optional(
    z.record(
      z.string(),
      z.object({
        pending: z.int(),
        processing: z.int(),
        worker_seen_seconds_ago: z.nullable(z.number()),
      }),
    ),
  ),
  version: z.optional(z.string()),
})
export type Health = z.output<typeof Health>
