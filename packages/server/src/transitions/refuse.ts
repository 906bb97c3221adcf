/**
 * Refuse: a job whose picture will never be one.
 *
 * From `queued`, by the server. Atomic: as every ending, and only while nobody holds the job. Then: the tenant is told why.
 */
import { ifThere, type Reader } from '../reading/reader.ts'
import type { End } from './end.ts'

export function createRefuse({ end, reader }: { readonly end: End; readonly reader: Reader }) {
  return async (jobId: string, { code, message }: { code: string; message: string }): Promise<void> => {
    const job = await ifThere(reader.known(jobId))
    if (job) await end.anyway('refuse', job, { status: 'failed', code, message }, { nobodys: true })
  }
}
