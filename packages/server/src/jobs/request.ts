/** What the core is asked for, and what it shows. */
import type { Job, ParsedGenerateRequest, PicturePlace } from '@kinora/protocol'

/** A picture of a new job: somebody's URL, or an upload of the same tenant that lies at {@link uploadKey}. */
export type ImageSource =
  | { readonly image_url: string }
  | {
      readonly upload_id: string
      /** Of a picture that came with the request itself: stands for its bytes in the comparison of repeated requests. */
      readonly digest?: string | undefined
    }

/** A picture of a new job with its place in the video. */
export type PlacedSource = ImageSource & {
  /** Default: at the start. */
  readonly place?: PicturePlace | undefined
  /** How closely the video keeps to it, 0..1. Default 1. */
  readonly strength?: number | undefined
  /** The request's field that names it, for refusals. */
  readonly field?: string | undefined
}

/** The fields of a request that name pictures. */
export type PictureField = 'image_url' | 'upload_id' | 'images' | 'end_image_url' | 'end_upload_id'

/** A request that has passed the schema, its pictures apart. */
export interface AcceptRequest {
  /** The picture at the start. */
  readonly image: PlacedSource
  /** Those of other frames, at most 7. */
  readonly others?: readonly PlacedSource[] | undefined
  /** The parsed body or form fields, defaults applied. */
  readonly request: Omit<ParsedGenerateRequest, PictureField>
}

/** A job at one moment. The revision changes with the job's state, not with its signed URLs. */
export interface Snapshot {
  readonly revision: string
  readonly job: Job
}
