/** The pictures of a job: where each comes from. Where it lies once it is there says `inputKey` in keys.ts. */

/** A picture as a job's record keeps it. The first stands at the beginning of the video. */
export interface JobPicture {
  /** Somebody's URL, or an object of the tenant's. */
  readonly from: { readonly url: string } | { readonly key: string }
}
