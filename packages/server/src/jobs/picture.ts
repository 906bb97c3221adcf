/** The pictures of a job: where each comes from. Where it lies once it is there says `inputKey` in keys.ts. */

/** A picture as a job's record keeps it. The first stands at the beginning of the video. */
export interface JobPicture {
  readonly from: PictureUrl | PictureUpload
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
