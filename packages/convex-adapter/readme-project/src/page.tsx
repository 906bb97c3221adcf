import { useMutation } from 'convex/react'
import { api } from '../convex/_generated/api'
import type { Id } from '../convex/_generated/dataModel'
import { useVideoJob, useVideoJobPages } from './videos'

declare function upload(url: string): Promise<Id<'_storage'>>

export function useCreate() {
  const generateUploadUrl = useMutation(api.videos.generateUploadUrl)
  const create = useMutation(api.videos.create)
  return async () => {
    /* block page-create */
    return jobId
  }
}

export function Watch({ jobId }: { jobId: string }) {
  /* block page-watch */
}

export function All() {
  /* block page-list */
  return (
    <button disabled={status !== 'CanLoadMore'} onClick={() => loadMore(20)}>
      {results.length}
    </button>
  )
}
