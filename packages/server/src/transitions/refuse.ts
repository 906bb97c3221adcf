/**
 * Refuse: a job whose picture will never be one.
 *
 * From `queued`, by the server. Atomic: as every ending. Then: the tenant is told why.
 */
import { reach } from '../stores/outage.ts'
import type { TransitionParts } from './parts.ts'

export function createRefuse({ end, queues, reader }: Pick<TransitionParts, 'end' | 'queues' | 'reader'>) {
  return async (jobId: string, { code, message }: { code: string; message: string }): Promise<void> => {
    const record = await reach(() => reader.record(jobId))
    if (!record) return
    await end.anyway('refuse', { model: queues.of(record.model), jobId }, { status: 'failed', code, message })
  }
}
