import { videoHooks } from '@kinora/convex/react'
import { api } from '../convex/_generated/api'

export const { useVideoJob, useVideoJobs } = videoHooks(api.videos)

export function Gallery() {
  const jobs = useVideoJobs() ?? []
  const newest = useVideoJob(jobs[0]?._id)
  return (
    <ul>
      <li>{newest?.progress?.toFixed(0)}</li>
      {jobs.map((job) => (
        <li key={job._id}>{job.context?.album}</li>
      ))}
    </ul>
  )
}
