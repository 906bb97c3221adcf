/** The page: choose a photo, say what shall happen, watch the video come. */
import { useState } from 'react'
import { JobView } from './job-view'
import { NewVideo } from './new-video'
import { useVideoJobs } from './videos'

export function App() {
  const jobs = useVideoJobs()
  const [chosen, choose] = useState<string | null>(null)
  const shown = chosen ?? jobs?.[0]?._id ?? null
  return (
    <main>
      <h1>A photo becomes a video</h1>
      <NewVideo onCreated={choose} />
      {shown !== null && <JobView key={shown} jobId={shown} onRemoved={() => choose(null)} />}
      {jobs !== undefined && jobs.length > 1 && (
        <nav aria-label="Your videos">
          {jobs.map((job) => (
            <button key={job._id} aria-pressed={job._id === shown} onClick={() => choose(job._id)}>
              <strong>{job.prompt ?? 'No prompt'}</strong>
              <span>{job.status}</span>
            </button>
          ))}
        </nav>
      )}
    </main>
  )
}
