/** From what an app calls its picture to the URL of its bytes. */
import { IMAGE_CONTENT_TYPES, MAX_IMAGE_BYTES } from '@kinora/protocol'
import { ConvexError, type GenericId } from 'convex/values'
import type { WritingCtx } from './options.ts'

export interface Picture {
  readonly imageUrl: string
  readonly sourceImageId?: string
}

/** @throws ConvexError where the id is not in storage, or what lies there can't be a picture */
export async function findPicture(ctx: WritingCtx, image: GenericId<'_storage'> | URL | string): Promise<Picture> {
  if (image instanceof URL || /^[a-z][a-z0-9+.-]*:\/\//i.test(image)) return { imageUrl: String(image) }
  const storageId = image as GenericId<'_storage'>
  await checkFile(ctx, storageId)
  const imageUrl = await ctx.storage.getUrl(storageId)
  if (imageUrl === null) throw refusal(`image: there is no file ${storageId} in storage`)
  return { imageUrl, sourceImageId: storageId }
}

/** Mutations can see a file's size and type before anybody sends it anywhere; in actions the server finds out. */
async function checkFile(ctx: WritingCtx, storageId: GenericId<'_storage'>): Promise<void> {
  if (!('db' in ctx)) return
  const file = await ctx.db.system.get('_storage', storageId)
  if (file === null) throw refusal(`image: there is no file ${storageId} in storage`)
  if (file.size > MAX_IMAGE_BYTES) {
    throw refusal(`image: has ${file.size} bytes; at most ${MAX_IMAGE_BYTES} are allowed`)
  }
  const type = file.contentType?.split(';')[0]?.trim().toLowerCase()
  if (type && type !== 'application/octet-stream' && !IMAGE_CONTENT_TYPES.some((known) => known === type)) {
    throw refusal(`image: is ${type}, which is not a picture; it may be ${IMAGE_CONTENT_TYPES.join(', ')}`)
  }
}

function refusal(message: string): ConvexError<{ code: string; message: string }> {
  return new ConvexError({ code: 'invalid_request', message })
}
