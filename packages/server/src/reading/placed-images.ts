/** A job's pictures as the wire shows them: signed URLs in our own storage, with places and strengths. */
import type { Job, PlacedImage } from '@kinora/protocol'
import type { Storage } from '../storage/index.ts'
import { inputKey } from '../jobs/keys.ts'
import type { JobPicture } from '../jobs/picture.ts'
import type { JobRecord } from '../jobs/record.ts'

/**
 * @param expiresIn seconds that the URLs live
 * @returns all of them, or nothing where there is only the one at the start, held as closely as ever
 */
export async function placedImages(
  storage: Pick<Storage, 'presignGet'>,
  jobId: string,
  pictures: readonly JobPicture[],
  { expiresIn }: { readonly expiresIn: number },
): Promise<PlacedImage[] | undefined> {
  if (pictures.every(({ place, strength = 1 }) => place === undefined && strength === 1)) return undefined
  return Promise.all(
    pictures.map(async ({ place = { at: 'start' as const }, strength = 1 }, index) => ({
      image_url: await storage.presignGet(inputKey(jobId, index), { expiresIn }),
      ...place,
      strength,
    })),
  )
}

/** What a job shows of its pictures, once they lie in the storage: nothing while they are fetched, or where they never came. */
export async function shownPictures(
  storage: Pick<Storage, 'presignGet'>,
  { job_id: jobId, pictures }: JobRecord,
  { status, stage, started_at }: Job,
  expires: { readonly expiresIn: number },
): Promise<Pick<Job, 'picture_url' | 'images'>> {
  const inLine = status === 'queued' ? stage !== 'fetching' : status === 'processing' || started_at !== undefined
  if (!pictures || !inLine) return {}
  const [picture_url, images] = await Promise.all([
    storage.presignGet(inputKey(jobId), expires),
    placedImages(storage, jobId, pictures, expires),
  ])
  return { picture_url, ...(images ? { images } : {}) }
}
