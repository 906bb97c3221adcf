import { videoHooks } from '@kinora/convex/react'
import { api } from '../convex/_generated/api'

export const { useVideoJob, useVideoJobs, useVideoJobPages } = videoHooks(api.videos)

export function Gallery() {
  const jobs = useVideoJobs() ?? []
  const newest = useVideoJob(jobs[0]?._id)
  const pages = useVideoJobPages({ initialNumItems: 20 })
  return (
    <ul onScroll={() => pages.loadMore(20)} title={pages.results[0]?.context?.album}>
      <li>{newest?.progress?.toFixed(0)}</li>
      {jobs.map((job) => (
        <li key={job._id}>{job.context?.album}</li>
      ))}
    </ul>
  )
}
