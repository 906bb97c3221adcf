/** Uploads are looked at when they arrive, so that a job that names one need not wait for it. */
import { MAX_IMAGE_BYTES } from '@kinora/protocol'
import type { Uploads } from '../core.ts'
import { ImageError, type ImageInfo } from '../images/index.ts'
import type { CheckedUpload } from '../jobs/picture.ts'
import { remember } from '../remember.ts'
import type { Storage } from '../storage/index.ts'

/** Uploads that are remembered. One that is forgotten, or went straight to a bucket, is looked at before its job goes into the line. */
const REMEMBERED = 10_000

export interface UploadBook extends Uploads {
  /** Whether an upload is there, and what was found when these bytes were looked at. @returns null where there is none */
  find(key: string): Promise<{ readonly checked: CheckedUpload | undefined; readonly size: number } | null>
}

export function createUploads({
  storage,
  inspect,
}: {
  readonly storage: Storage
  /** Throws ImageError for bytes that are no picture. @param tenant who waits for it */
  readonly inspect: (bytes: Uint8Array, tenant: string) => Promise<ImageInfo>
}): UploadBook {
  const known = new Map<string, CheckedUpload>()

  return {
    async arrived(key) {
      const object = await readPicture(storage, key)
      if (!object) return null
      try {
        const info = await inspect(object.bytes, key.split('/')[1] ?? '')
        remember(known, key, { etag: object.etag, contentType: info.contentType }, REMEMBERED)
        return info
      } catch (error) {
        if (error instanceof ImageError) await storage.delete(key)
        throw error
      }
    },

    async find(key) {
      const info = await storage.head(key)
      if (!info) return null
      const checked = known.get(key)
      return { checked: checked?.etag === info.etag ? checked : undefined, size: info.size }
    },
  }
}

/** An object that should be a picture, whole. @returns null where there is none @throws ImageError for one that is too large */
export async function readPicture(
  storage: Storage,
  key: string,
): Promise<{ readonly bytes: Uint8Array; readonly etag: string } | null> {
  const object = await storage.get(key)
  if (!object) return null
  if (object.size > MAX_IMAGE_BYTES) {
    await object.body.cancel()
    throw new ImageError(
      'image_too_large',
      `The picture has ${object.size} bytes; at most ${MAX_IMAGE_BYTES} are allowed.`,
    )
  }
  return { bytes: new Uint8Array(await new Response(object.body).arrayBuffer()), etag: object.etag }
}
