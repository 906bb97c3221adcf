/** Brings one picture into the storage, so that no worker ever fetches a stranger's URL. */
import { isRetryableStatus, MAX_IMAGE_BYTES } from '@kinora/protocol'
import type { ImageInfo } from '../images/index.ts'
import type { JobPicture } from '../jobs/picture.ts'
import type { GuardedFetch } from '../net/index.ts'
import type { Storage } from '../storage/index.ts'
import { InputError } from './input-error.ts'
import type { Slots } from './slots.ts'
import { readPicture } from './uploads.ts'

export interface BringOptions {
  readonly storage: Storage
  readonly fetch: GuardedFetch
  /** Throws ImageError for bytes that are no picture. */
  readonly inspect: (bytes: Uint8Array, tenant: string) => Promise<ImageInfo>
  readonly slots: Slots
  /** Milliseconds for one picture. */
  readonly timeout: number
  /** Bytes have come for a tenant. */
  readonly onFetched?: ((tenant: string, bytes: number) => Promise<void>) | undefined
}

export type Bring = (
  picture: JobPicture,
  to: { readonly key: string; readonly tenant: string; readonly signal: AbortSignal },
) => Promise<void>

/** @returns what fetches, checks and keeps a picture; one that lies there already is left alone, so it may be repeated */
export function createBring({ storage, fetch, inspect, slots, timeout, onFetched }: BringOptions): Bring {
  return async ({ from }, { key, tenant, signal }) => {
    if (await storage.head(key)) return
    const release = await slots.take(tenant, 'url' in from ? hostOf(from.url) : undefined, signal)
    try {
      const bytes = 'url' in from ? await fetchBytes(from.url, tenant, signal) : await readUpload(from.key)
      const { contentType } = await inspect(bytes, tenant)
      signal.throwIfAborted()
      await storage.put(key, bytes, { contentType })
    } finally {
      release()
    }
  }

  async function fetchBytes(url: string, tenant: string, signal: AbortSignal): Promise<Uint8Array> {
    const response = await fetch(url, { headers: { accept: 'image/*' }, timeout, maxBytes: MAX_IMAGE_BYTES, signal })
    if (response.ok) {
      await onFetched?.(tenant, response.body.byteLength)
      return response.body
    }
    const { status } = response
    throw new InputError('image_unreachable', `${hostOf(url)} answered HTTP ${status} for the picture.`, {
      retryable: isRetryableStatus(status),
    })
  }

  async function readUpload(key: string): Promise<Uint8Array> {
    const upload = await readPicture(storage, key)
    if (upload) return upload.bytes
    throw new InputError('image_missing', 'The uploaded picture is no longer there.', { retryable: false })
  }
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : 'an unknown host'
}
