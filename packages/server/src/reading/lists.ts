/** A tenant's list of jobs, page by page. */
import type { JobList } from '@kinora/protocol'
import { ApiError } from '../api-error.ts'
import type { Jobs } from '../core.ts'
import type { ListCursor } from '../jobs/record.ts'
import type { History } from '../stores/history.ts'
import { reach } from '../stores/outage.ts'
import type { Reader } from './reader.ts'

export function createList({ history, reader }: { readonly history: History; readonly reader: Reader }): Jobs['list'] {
  return async (tenant, { limit, cursor }): Promise<JobList> => {
    const after = cursor === undefined ? undefined : parseCursor(cursor)
    // One more than asked for tells whether there is a next page.
    const entries = await reach(() => history.list(tenant, { limit: limit + 1, after }))
    const page = entries.slice(0, limit)
    const known = await reader.read(page.map(({ record }) => record))
    const jobs = await Promise.all(known.map(async (one) => one && reader.present(one)))
    const last = page.at(-1)?.record
    return {
      jobs: jobs.filter((job) => job !== null),
      next_cursor: entries.length > limit && last ? formatCursor(last) : null,
    }
  }
}

function formatCursor({ created_at, job_id }: ListCursor): string {
  return Buffer.from(`${created_at}.${job_id}`).toString('base64url')
}

function parseCursor(cursor: string): ListCursor {
  const [, created, jobId] =
    /^(\d{1,15})\.([A-Za-z0-9_-]{1,128})$/.exec(Buffer.from(cursor, 'base64url').toString()) ?? []
  if (created === undefined || jobId === undefined) {
    throw new ApiError('invalid_request', 'The cursor is not one of ours: pass next_cursor of the page before.', {
      issues: [{ path: 'cursor', message: 'is not a cursor' }],
    })
  }
  return { created_at: Number(created), job_id: jobId }
}
