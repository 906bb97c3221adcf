import { useMutation } from 'convex/react'
import { api } from '../convex/_generated/api'
import { useVideoJob } from './videos'

export function JobView({ jobId, onRemoved }: { jobId: string; onRemoved: () => void }) {
  const job = useVideoJob(jobId)
  const cancel = useMutation(api.videos.cancel)
  const remove = useMutation(api.videos.remove)
  if (job === undefined) return <p>Loading…</p>
  if (job === null) return null

  const ended = job.status === 'completed' || job.status === 'failed' || job.status === 'canceled'
  return (
    <section aria-live="polite">
      {job.status === 'completed' && job.outputVideoUrl !== undefined && (
        <video key={job.outputVideoUrl} src={job.outputVideoUrl} poster={job.posterUrl} controls autoPlay loop muted />
      )}
      {!ended && <progress max={100} value={job.progress} aria-label="Progress" />}
      <p>{tell(job)}</p>
      {job.storeError !== undefined && <p className="problem">{job.storeError}</p>}
      {ended ? (
        <button onClick={() => void remove({ jobId }).then(onRemoved)}>Remove</button>
      ) : (
        <button onClick={() => void cancel({ jobId })}>Cancel</button>
      )}
    </section>
  )
}

type Job = NonNullable<ReturnType<typeof useVideoJob>>

function tell({ status, stage, progress, notice, queuePosition, errorMessage }: Job): string {
  switch (status) {
    case 'uploading':
      return 'Sending the photo…'
    case 'queued':
      return notice ?? (queuePosition ? `Waiting; ${queuePosition} before it.` : 'Waiting…')
    case 'processing':
      return `${stage ?? 'working'}, ${Math.round(progress ?? 0)} %`
    case 'completed':
      return 'Done.'
    case 'failed':
      return errorMessage ?? 'It did not work out.'
    case 'canceled':
      return 'Canceled.'
  }
}
