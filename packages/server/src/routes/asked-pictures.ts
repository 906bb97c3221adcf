/** Which pictures a request asks for: the first, and those of other frames. */
import { isAtStart, type ParsedGenerateRequest } from '@kinora/protocol'
import { ApiError } from '../api-error.ts'
import type { AcceptRequest } from '../core.ts'
import type { PlacedSource } from '../jobs/request.ts'

/** A picture that came as a file with the form, and lies in the storage. */
export interface ReceivedFile {
  readonly upload_id: string
  /** Where it lies. */
  readonly key: string
  /** SHA-256 of its bytes. */
  readonly digest: string
}

/** The files of a form, by the names of their parts. */
export type ReceivedFiles = { readonly [name in 'image' | 'end_image']?: ReceivedFile }

/**
 * @param parsed a request that has passed its schema
 * @throws ApiError `invalid_request` where a file and a field name the same picture
 */
export function askedPictures(parsed: ParsedGenerateRequest, files: ReceivedFiles = {}): AcceptRequest {
  const { image_url, upload_id, images, end_image_url, end_upload_id, ...request } = parsed
  onlyOne(files.image, 'image', { image_url, upload_id, images })
  onlyOne(files.end_image, 'end_image', { end_image_url, end_upload_id, images })
  if (images) {
    const placed = images.map(({ image_url, upload_id, strength, ...place }, index): PlacedSource => {
      const kept = { place, strength }
      return image_url === undefined
        ? { upload_id: upload_id ?? '', field: `images.${index}.upload_id`, ...kept }
        : { image_url, field: `images.${index}`, ...kept }
    })
    const first = placed.find(({ place = {} }) => isAtStart(place))
    if (!first) throw new Error('GenerateRequest let images without one at the start through.')
    // Where it stands goes without saying.
    const { place: _, ...image } = first
    return { image, others: placed.filter((picture) => picture !== first), request }
  }
  const image = source(files.image, { image_url, upload_id }, { file: 'image', url: 'image_url', upload: 'upload_id' })
  if (!image) throw new Error('GenerateRequest let a request without a picture through.')
  const end = source(
    files.end_image,
    { image_url: end_image_url, upload_id: end_upload_id },
    { file: 'end_image', url: 'end_image_url', upload: 'end_upload_id' },
  )
  return { image, ...(end ? { others: [{ ...end, place: { at: 'end' } }] } : {}), request }
}

function source(
  file: ReceivedFile | undefined,
  { image_url, upload_id }: { readonly image_url: string | undefined; readonly upload_id: string | undefined },
  fields: { readonly file: string; readonly url: string; readonly upload: string },
): PlacedSource | undefined {
  if (file) return { upload_id: file.upload_id, digest: file.digest, field: fields.file }
  if (image_url !== undefined) return { image_url, field: fields.url }
  return upload_id === undefined ? undefined : { upload_id, field: fields.upload }
}

function onlyOne(file: ReceivedFile | undefined, part: string, others: Readonly<Record<string, unknown>>): void {
  if (!file || Object.values(others).every((value) => value === undefined)) return
  const names = [part, ...Object.keys(others)].map((name) => `"${name}"`)
  const message = `give only one of ${names.slice(0, -1).join(', ')} and ${names.at(-1)}`
  throw new ApiError('invalid_request', `The request is not valid: ${part} ${message}.`, {
    issues: [{ path: part, message }],
  })
}
