/** What the core is asked for, and what it shows. */
import type { Job, ParsedGenerateRequest } from '@kinora/protocol'

/** The picture of a new job: somebody's URL, or an upload of the same tenant that lies at {@link uploadKey}. */
export type ImageSource =
  | { readonly image_url: string }
  | {
      readonly upload_id: string
      /** Of a picture that came with the request itself: stands for its bytes in the comparison of repeated requests. */
      readonly digest?: string | undefined
    }

/** A request that has passed the schema. `image_url` and `upload_id` are taken from `image`. */
export interface AcceptRequest {
  readonly image: ImageSource
  /** The parsed body or form fields, defaults applied. */
  readonly request: Omit<ParsedGenerateRequest, 'image_url' | 'upload_id'>
}

/** A job at one moment. The revision changes with the job's state, not with its signed URLs. */
export interface Snapshot {
  readonly revision: string
  readonly job: Job
}
