/** The pictures and texts of a request to the pretended server. */
import { isSettingName, type ParsedGenerateRequest, type PicturePlace, settingFromText } from '@kinora/protocol'

export interface NamedPicture extends PicturePlace {
  readonly image_url?: string | undefined
  readonly upload_id?: string | undefined
  readonly strength: number
}

/** All pictures of a request, with their places. */
export function picturesOf({
  images,
  image_url,
  upload_id,
  end_image_url,
  end_upload_id,
}: ParsedGenerateRequest): readonly NamedPicture[] {
  if (images !== undefined) return images
  const first = { image_url, upload_id, at: 'start' as const, strength: 1 }
  if (end_image_url === undefined && end_upload_id === undefined) return [first]
  return [first, { image_url: end_image_url, upload_id: end_upload_id, at: 'end' as const, strength: 1 }]
}

/** A form has texts only: numbers are read as numbers, metadata as JSON. */
export function fromText(name: string, text: string): unknown {
  if (name !== 'metadata') return isSettingName(name) ? settingFromText(name, text) : text
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
