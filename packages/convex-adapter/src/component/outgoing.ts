/** What is sent for a job: the same for each attempt, so that the server knows the attempts for one. */
import type { Doc } from './_generated/dataModel.ts'
import { isPublicUrl } from './addresses.ts'
import { defined } from './defined.ts'
import { readServerAccess } from './environment.ts'
import type { Outgoing } from './job.ts'
import { fetchImage, submitJob } from './server.ts'

export function outgoingOf(job: Doc<'videoJobs'>, webhookUrl: string | undefined): Outgoing {
  return {
    isStored: job.sourceImageId !== undefined,
    imageDelivery: job.imageDelivery,
    duration: job.durationSeconds,
    settings: job.settings,
    // An id is unique in one deployment only; the time makes the key so for a server that serves several.
    idempotencyKey: `convex-${job._id}-${Math.floor(job._creationTime)}`,
    ...defined({ imageUrl: job.sourceImageUrl, prompt: job.prompt, webhookUrl }),
  }
}

/**
 * Sends it, and answers the server's id of the job: a new one, or that of the job which an earlier attempt has made.
 *
 * @throws ServerError, SetupError
 */
export async function sendOut({ imageUrl, isStored, imageDelivery, ...submission }: Outgoing): Promise<string> {
  const access = readServerAccess()
  const image = await pictureOf({ isStored, imageDelivery, ...defined({ imageUrl }) })
  const { job_id } = await submitJob(access, { ...submission, image })
  return job_id
}

async function pictureOf(picture: Pick<Outgoing, 'imageUrl' | 'isStored' | 'imageDelivery'>) {
  const { imageUrl } = picture
  if (imageUrl === undefined) return undefined
  return goesAsBytes(picture) ? { bytes: await fetchImage(imageUrl) } : { url: imageUrl }
}

/** Whether the picture is read here and sent along, instead of its URL. */
export function goesAsBytes({
  imageUrl,
  isStored,
  imageDelivery,
}: Pick<Outgoing, 'imageUrl' | 'isStored' | 'imageDelivery'>): boolean {
  if (!isStored || imageUrl === undefined) return false
  return imageDelivery === 'bytes' || (imageDelivery === 'auto' && !isPublicUrl(imageUrl))
}
