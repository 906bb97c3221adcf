/** The pictures of a job: where each comes from. Where it lies once it is there says `inputKey` in keys.ts. */

import type { PicturePlace } from '@kinora/protocol'

/** A picture as a job's record keeps it. The first in the list stands at the beginning of the video. */
export interface JobPicture {
  readonly from: PictureUrl | PictureUpload
  /** Where in the video it stands. Absent: at the start. */
  readonly place?: PicturePlace | undefined
  /** How closely the video keeps to it, 0..1. Absent: 1. */
  readonly strength?: number | undefined
}

/** Somebody's URL. */
export interface PictureUrl {
  readonly url: string
}

/** An object of the tenant's. */
export interface PictureUpload {
  readonly key: string
  /** What was found when it was looked at; absent while nobody has. */
  readonly checked?: CheckedUpload | undefined
}

/** That an upload is a picture, and which bytes that was said of. */
export interface CheckedUpload {
  readonly etag: string
  readonly contentType: string
}

/** A picture's place in words. */
export function inWords({ frame, at, seconds }: PicturePlace = { at: 'start' }): string {
  if (frame !== undefined) return `at frame ${frame}`
  return seconds === undefined ? `at the ${at ?? 'start'}` : `at ${seconds} s`
}
