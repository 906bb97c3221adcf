import { type Job, Kinora } from '@kinora/sdk'

// Your own server adds the API key, behind your own log-in: keys do not belong into pages.
const kinora = new Kinora({ baseUrl: '/kinora', credentials: 'same-origin' })

export async function makeVideo(file: File, show: (job: Job) => void, signal: AbortSignal): Promise<Blob> {
  const job = await kinora.generate(
    { image: file, prompt: 'Slow zoom', duration: 5 },
    { signal, onUploadProgress: ({ loaded, total }) => console.log(`${loaded} of ${total} bytes`) },
  )
  for await (const snapshot of kinora.stream(job.job_id, { signal })) show(snapshot)
  const response = await kinora.download(job.job_id, { signal })
  return response.blob()
}
