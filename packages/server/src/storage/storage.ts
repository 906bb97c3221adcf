/**
 * Storage: what keeps pictures and videos. Two drivers speak this port, `disk` and `s3`, and one conformance suite holds both to it.
 *
 * Bytes that a stranger moves never pass through the caller: uploads and downloads go by presigned URL, straight to the driver.
 */

/** What a listing says about an object. */
export interface ListedObject {
  readonly key: string
  /** Bytes. */
  readonly size: number
  readonly lastModified: Date
}

/** What the storage knows about an object without reading it. */
export interface ObjectInfo extends ListedObject {
  readonly contentType: string
  /** Changes whenever the bytes do; quoted, as in an HTTP header. */
  readonly etag: string
}

/** An object and its bytes. Read the body to its end or cancel it: it holds a file or a connection. */
export interface StoredObject extends ObjectInfo {
  readonly body: ReadableStream<Uint8Array>
}

export interface PutOptions {
  readonly contentType: string
  /** Bytes at most; one more and the put is refused and nothing kept. Default: no limit. */
  readonly maxBytes?: number | undefined
}

export interface LinkOptions {
  /** Of the new object. */
  readonly contentType: string
  /** The etag that the bytes had when they were looked at. */
  readonly etag: string
}

export interface PresignPutOptions {
  /** The one `Content-Type` that is accepted. */
  readonly contentType: string
  /** Bytes at most. S3 cannot sign a limit: there the caller must look at the object's size before using it. */
  readonly maxBytes: number
  /** The exact number of bytes, where known; every driver refuses another one. */
  readonly contentLength?: number | undefined
  /** Seconds until the URL stops working, at most 7 days. */
  readonly expiresIn: number
}

/** A presigned PUT: send the bytes to `url` with exactly these `headers`. */
export interface PresignedPut {
  readonly url: string
  readonly headers: Record<string, string>
}

export interface PresignGetOptions {
  /** Seconds until the URL stops working, at most 7 days. */
  readonly expiresIn: number
  /** Makes a browser save the object under this name instead of showing it. */
  readonly downloadName?: string | undefined
}

export interface Storage {
  /** `disk` or `s3`, for logs and `doctor`. */
  readonly name: string

  /**
   * Keeps bytes under a key, replacing what was there. Readers see the old object or the new one, never a part.
   * @throws StorageError `too_large` past `maxBytes`, `unavailable`
   */
  put(key: string, body: Uint8Array | ReadableStream<Uint8Array>, options: PutOptions): Promise<ObjectInfo>

  /** The object and its bytes, or null where there is none. */
  get(key: string): Promise<StoredObject | null>

  /** What is known about the object, or null where there is none. */
  head(key: string): Promise<ObjectInfo | null>

  /** Removes the object. One that is not there is as good as removed. */
  delete(key: string): Promise<void>

  /** @throws StorageError `not_found` when there is nothing at `from` */
  copy(from: string, to: string): Promise<ObjectInfo>

  /**
   * Makes the object's bytes an object of another key as well, without moving them where the storage can. What happens to one afterwards does not touch
   * the other.
   * @throws StorageError `not_found` when there is nothing at `from`, or other bytes than those that were looked at
   */
  link(from: string, to: string, options: LinkOptions): Promise<ObjectInfo>

  /**
   * Moves an object to its final key, replacing what was there. Readers of `to` see the old object or the new one, never a part. A crash in
   * between leaves `to` whole, and `from` there or not: whoever repeats it after a crash treats "`from` gone, `to` there" as done.
   * @throws StorageError `not_found` when there is nothing at `from`
   */
  promote(from: string, to: string): Promise<ObjectInfo>

  /** Every object whose key starts with the prefix, in no particular order. A prefix is `''` or whole segments ending in `/`. */
  list(prefix: string): AsyncIterable<ListedObject>

  /** A URL that takes one PUT of these bytes, without further authorisation. */
  presignPut(key: string, options: PresignPutOptions): Promise<PresignedPut>

  /** A URL that answers GET, with Range, without further authorisation (S3 signs the method, so its URLs refuse HEAD). */
  presignGet(key: string, options: PresignGetOptions): Promise<string>

  /** The object's lasting public address, where the storage has one (R2_PUBLIC_URL). */
  publicUrl?(key: string): string

  /**
   * Answers requests to the driver's own presigned URLs, for a driver that has no server of its own.
   * @param path the key, from the URL below {@link STORAGE_PATH}
   */
  serve?(request: Request, path: string): Promise<Response>

  /** @throws StorageError `unavailable`, saying what is wrong and how to mend it */
  check(): Promise<void>

  close(): Promise<void>
}

/** Where a driver without a server of its own is served, relative to where Kinora is mounted. */
export const STORAGE_PATH = '/storage'

/** Seconds a presigned URL may live: S3 refuses more. */
export const MAX_PRESIGN_SECONDS = 7 * 24 * 3600

/** Why the storage did not do it. `retryable`: the same call may work later. */
export class StorageError extends Error {
  override readonly name = 'StorageError'
  readonly code: 'invalid_key' | 'not_found' | 'too_large' | 'invalid_option' | 'unavailable'
  readonly retryable: boolean

  constructor(code: StorageError['code'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
    this.retryable = code === 'unavailable'
  }
}
