/** `GET /health`: without authorisation, 503 when the queue's store can't be reached. */
import * as z from 'zod/mini'
import { explained } from './explain.ts'

export const Health = z.object(
  {
    api: z.literal('ok', explained),
    /** The queue's store, whichever it is; the name is the original contract's. */
    redis: z.string(explained),
    queue: z.object(
      {
        pending: z.int(explained),
        processing: z.int(explained),
        completed: z.int(explained),
        failed: z.int(explained),
      },
      explained,
    ),
    /** `redis`, `postgres` or `embedded`. */
    backend: z.optional(z.string(explained)),
    /** By model: jobs waiting, and how many seconds ago a worker last asked for it (null: not since the start). */
    models: z.optional(
      z.record(
        z.string(explained),
        z.object(
          {
            pending: z.int(explained),
            processing: z.int(explained),
            worker_seen_seconds_ago: z.nullable(z.number(explained)),
          },
          explained,
        ),
      ),
    ),
    version: z.optional(z.string(explained)),
  },
  explained,
)
export type Health = z.output<typeof Health>
