/** A caller's own small object on a job, echoed in jobs, lists and webhooks, and looked at by nobody. */
import * as z from 'zod/mini'
import { MAX_METADATA_BYTES } from './limits.ts'

export const Metadata = z.record(z.string(), z.unknown()).check(
  z.check((context) => {
    const bytes = new TextEncoder().encode(JSON.stringify(context.value)).length
    if (bytes <= MAX_METADATA_BYTES) return
    const message = `must have at most ${MAX_METADATA_BYTES} bytes as JSON, not ${bytes}`
    context.issues.push({ code: 'custom', input: context.value, message, path: [] })
  }),
)
export type Metadata = z.output<typeof Metadata>
