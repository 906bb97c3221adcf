/** Ids, apart from the job's schema: requests name them too. */
import * as z from 'zod/mini'

/** Ids that may stand in a path and in an object's key; BullMQ allows neither `:` nor plain integers. */
export const Id = z
  .string()
  .check(
    z.regex(/^(?!\d+$)[A-Za-z0-9_-]{1,128}$/, 'must be 1 to 128 letters, digits, "_" or "-", and not a plain number'),
  )
