import { useMutation } from 'convex/react'
import { ConvexError } from 'convex/values'
import { type FormEvent, useEffect, useState } from 'react'
import { api } from '../convex/_generated/api'
import type { Id } from '../convex/_generated/dataModel'

export function NewVideo({ onCreated }: { onCreated: (jobId: string) => void }) {
  const generateUploadUrl = useMutation(api.videos.generateUploadUrl)
  const create = useMutation(api.videos.create)
  const [photo, setPhoto] = useState<File | null>(null)
  const [prompt, setPrompt] = useState('')
  const [seconds, setSeconds] = useState(5)
  const [busy, setBusy] = useState(false)
  const [problem, setProblem] = useState<string | null>(null)
  const preview = useObjectUrl(photo)

  async function submit(event: FormEvent) {
    event.preventDefault()
    if (photo === null) return
    setBusy(true)
    setProblem(null)
    try {
      const sourceImageId = await upload(await generateUploadUrl({}), photo)
      onCreated(await create({ sourceImageId, durationSeconds: seconds, ...(prompt === '' ? {} : { prompt }) }))
      setPhoto(null)
      setPrompt('')
    } catch (error) {
      setProblem(describe(error))
    } finally {
      setBusy(false)
    }
  }

  return (
    <form onSubmit={(event) => void submit(event)}>
      <label className="photo">
        {preview === null ? 'Choose a photo' : <img src={preview} alt="The photo you chose" />}
        <input type="file" accept="image/*" onChange={(event) => setPhoto(event.target.files?.[0] ?? null)} />
      </label>
      <label>
        What shall happen?
        <input value={prompt} maxLength={4000} onChange={(event) => setPrompt(event.target.value)} />
      </label>
      <label>
        Seconds
        <input
          type="number"
          min={1}
          max={10}
          value={seconds}
          onChange={(event) => setSeconds(event.target.valueAsNumber)}
        />
      </label>
      <button type="submit" disabled={photo === null || busy}>
        {busy ? 'Uploading…' : 'Make the video'}
      </button>
      {problem !== null && <p className="problem">{problem}</p>}
    </form>
  )
}

/** Puts the photo into Convex's storage. */
async function upload(url: string, photo: File): Promise<Id<'_storage'>> {
  const response = await fetch(url, { method: 'POST', headers: { 'content-type': photo.type }, body: photo })
  if (!response.ok) throw new Error(`The photo could not be uploaded: HTTP ${response.status}.`)
  const { storageId }: { storageId: Id<'_storage'> } = await response.json()
  return storageId
}

/** Kinora's refusals say what is wrong; anything else is a surprise. */
function describe(error: unknown): string {
  if (error instanceof ConvexError && typeof error.data === 'object' && 'message' in error.data) {
    return String(error.data.message)
  }
  return error instanceof Error ? error.message : String(error)
}

function useObjectUrl(file: File | null): string | null {
  const [url, setUrl] = useState<string | null>(null)
  useEffect(() => {
    if (file === null) return
    const made = URL.createObjectURL(file)
    setUrl(made)
    return () => {
      URL.revokeObjectURL(made)
      setUrl(null)
    }
  }, [file])
  return url
}
