/** What a tenant does with jobs. */
import type { JobList } from '@kinora/protocol'
import { ApiError } from '../api-error.ts'
import type { Jobs } from '../core.ts'
import type { Storage } from '../storage/index.ts'
import type { History, ListCursor } from '../stores/history.ts'
import { queueUnavailable, reach } from '../stores/outage.ts'
import type { Accept } from './accept.ts'
import type { Cancel } from './cancel.ts'
import type { Remove } from './remove.ts'
import { notFound, type Reader } from './reader.ts'
import { hasEnded } from './job.ts'
import { outputKeys } from './keys.ts'
import { failWith, settle } from './settle.ts'
import type { VideoResult } from './video-job.ts'

export interface JobsOptions {
  readonly history: History
  readonly storage: Storage
  readonly reader: Reader
  readonly accept: Accept
  readonly cancel: Cancel
  readonly remove: Remove
}

export function createJobs({ history, storage, reader, accept, cancel, remove }: JobsOptions): Jobs {
  return {
    accept,
    remove,
    get: (tenant, jobId) => reader.job(jobId, tenant),
    cancel: (tenant, jobId) => cancel(jobId, tenant),

    async list(tenant, { limit, cursor }): Promise<JobList> {
      const after = cursor === undefined ? undefined : parseCursor(cursor)
      // One more than asked for tells whether there is a next page.
      const entries = await reach(() => history.list(tenant, { limit: limit + 1, after }))
      const page = entries.slice(0, limit)
      const jobs = await Promise.all(
        page.map(async (entry) => {
          const view = await reader.view(entry)
          return view ? reader.present(entry, view) : null
        }),
      )
      const last = page.at(-1)?.record
      return {
        jobs: jobs.filter((job) => job !== null),
        next_cursor: entries.length > limit && last ? formatCursor(last) : null,
      }
    },

    async videoUrl(tenant, jobId, { expiresIn }) {
      const entry = await reader.entry(jobId, tenant)
      const view = await reader.view(entry)
      if (!view) throw notFound()
      if (!view.video) {
        throw new ApiError('job_not_completed', `The job is ${view.job.status}: it has no video.`)
      }
      if ('url' in view.video) return view.video.url
      const { key } = view.video
      if (!(await storage.head(key))) {
        throw new ApiError('video_gone', 'The video has been removed from the storage.')
      }
      return storage.publicUrl?.(key) ?? storage.presignGet(key, { expiresIn })
    },

    async completeFromOutside({ job_id: jobId, status, video_url, error }) {
      const { record, final } = await reader.entry(jobId)
      const live = final ? null : await reader.live(record)
      if (!final && !live) throw notFound()
      if (!live || live.state === 'ended') return
      if (status === 'failed') {
        await settle(live.queue, jobId, failWith('engine_error', error ?? 'The worker reported a failure.'))
      } else {
        const result: VideoResult = { video: video_url === undefined ? await ownVideo(jobId) : { url: video_url } }
        await settle(live.queue, jobId, ({ bull, token }) => bull.moveToCompleted(result, token, false))
      }
      const view = await reader.keepEnd(jobId)
      if (!view || !hasEnded(view.job)) throw queueUnavailable()
    },
  }

  /** Outside workers of the original contract put the video to its final place themselves. */
  async function ownVideo(jobId: string): Promise<VideoResult['video']> {
    const { video } = outputKeys(jobId)
    if (await storage.head(video)) return { key: video }
    throw new ApiError(
      'invalid_request',
      `The job cannot be completed: give "video_url", or put the video to ${video} first.`,
      {
        issues: [{ path: 'video_url', message: 'is missing' }],
      },
    )
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
