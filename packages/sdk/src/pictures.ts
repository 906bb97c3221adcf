/** The pictures of a `generate`: what an app may write, and what goes over the wire once their bytes are uploaded. */
import type { PicturePlace } from '@kinora/protocol'
import type { Http } from './http.ts'
import { type ImageInput, readPicture } from './image.ts'
import { upload, type UploadProgress } from './upload.ts'

/** A picture in exactly one of three forms: as `image`, or as `image_url` or `upload_id` as the wire has them. */
export type PictureSource =
  | { image: ImageInput; image_url?: never; upload_id?: never }
  | { image_url: string; image?: never; upload_id?: never }
  | { upload_id: string; image?: never; image_url?: never }

/** Where in the video a picture stands: exactly one of the three. */
export type PicturePosition =
  | { at: 'start' | 'end'; frame?: never; seconds?: never }
  | { frame: number; at?: never; seconds?: never }
  | { seconds: number; at?: never; frame?: never }

/** One of `images`: a picture, its place, and how closely the video keeps to it, 0..1 (1 when left out). */
export type PlacedPicture = PictureSource & PicturePosition & { strength?: number | undefined }

/** The picture of the last frame, if any. */
export type EndPicture =
  | { end_image?: ImageInput | undefined; end_image_url?: never; end_upload_id?: never }
  | { end_image_url: string; end_image?: never; end_upload_id?: never }
  | { end_upload_id: string; end_image?: never; end_image_url?: never }

/** The pictures of a video: one, which may have one for the last frame beside it, or several with their places. */
export type Pictures =
  | (PictureSource & EndPicture & { images?: never })
  | {
      images: readonly PlacedPicture[]
      image?: never
      image_url?: never
      upload_id?: never
      end_image?: never
      end_image_url?: never
      end_upload_id?: never
    }

/** What may stand in a request, before its shape is known. */
interface Given {
  readonly image?: ImageInput | undefined
  readonly end_image?: ImageInput | undefined
  readonly images?: readonly (PicturePlace & { readonly image?: ImageInput | undefined })[] | undefined
}

interface Options {
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((progress: UploadProgress) => void) | undefined
}

/**
 * The wire's fields for the pictures. Bytes are uploaded one after the other, and told of as one upload.
 *
 * @throws InputError for what is no picture, before anything is sent
 */
export async function sendPictures(http: Http, given: Given, options: Options): Promise<Record<string, unknown>> {
  const { signal, onProgress } = options
  const wanted = [given.image, given.end_image, ...(given.images ?? []).map(({ image }) => image)]
  const read = []
  for (const image of wanted) read.push(image === undefined ? undefined : await readPicture(image, signal))
  const sizes = read.map((picture) => (picture && 'blob' in picture ? picture.blob.size : 0))
  const total = sizes.reduce((sum, size) => sum + size, 0)
  const named: Record<string, string>[] = []
  let before = 0
  for (const [index, picture] of read.entries()) {
    if (picture === undefined) named.push({})
    else if ('url' in picture) named.push({ image_url: picture.url })
    else {
      const start = before
      const tell = onProgress && (({ loaded }: UploadProgress) => onProgress({ loaded: start + loaded, total }))
      named.push({ upload_id: await upload(http, { ...picture, signal, byContent: true, onProgress: tell }) })
    }
    before += sizes[index] ?? 0
  }
  const [first, end, ...others] = named
  return {
    ...first,
    ...Object.fromEntries(Object.entries(end ?? {}).map(([name, value]) => [`end_${name}`, value])),
    ...(given.images && {
      images: given.images.map(({ image: _image, ...picture }, index) => ({ ...picture, ...others[index] })),
    }),
  }
}
