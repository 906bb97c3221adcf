/** The S3 driver: AWS S3, Cloudflare R2, and what speaks their protocol (SeaweedFS, Garage, Backblaze B2, Railway buckets). */
import type { HeadObjectCommandOutput, S3Client, S3ClientConfig } from '@aws-sdk/client-s3'
import { checkKey, checkPrefix } from '../key.ts'
import { type ListedObject, MAX_PRESIGN_SECONDS, type Storage, StorageError } from '../storage.ts'
import { createDeadlines, type Deadlines } from './deadlines.ts'
import { type AwsSdk, loadAwsSdk } from './load-sdk.ts'
import { putStream } from './put-stream.ts'
import { isAbsent, isOther, toStorageError } from './s3-error.ts'

export interface S3StorageOptions {
  readonly bucket: string
  /** `https://<account>.r2.cloudflarestorage.com`, or another server's address. Default: AWS itself. */
  readonly endpoint?: string | undefined
  /** Where clients reach the same server, when this process reaches it by an internal name. Signed URLs point there. Default: `endpoint`. */
  readonly publicEndpoint?: string | undefined
  /** Default `auto`, which R2 wants. AWS wants the bucket's region. */
  readonly region?: string | undefined
  readonly accessKeyId: string
  readonly secretAccessKey: string
  /**
   * Put the bucket into the path rather than the host name. Default: true with an `endpoint` outside AWS and R2, as most self-hosted servers have
   * no name for each bucket.
   */
  readonly forcePathStyle?: boolean | undefined
  /** A public address of the bucket (R2_PUBLIC_URL): objects are then linked as this plus their key, unsigned. */
  readonly publicUrl?: string | undefined
  /** Stands before every key, to share a bucket: whole segments ending in `/`. */
  readonly prefix?: string | undefined
  /**
   * Milliseconds that one of three attempts of a call may take that moves no bytes; others get more. It bounds pauses inside an object to twelve times as
   * much. Default 5000.
   */
  readonly timeout?: number | undefined
}

export function createS3Storage(options: S3StorageOptions): Storage {
  const { bucket, endpoint, publicEndpoint = endpoint } = options
  const prefix = checkPrefix(options.prefix ?? '')
  const deadlines = createDeadlines(options.timeout ?? 5000)
  const at = (key: string): { Bucket: string; Key: string } => ({ Bucket: bucket, Key: prefix + checkKey(key) })

  let opened: Promise<{ sdk: AwsSdk; client: S3Client; signer: S3Client }> | undefined
  const open = () => {
    opened ??= loadAwsSdk().then((sdk) => ({
      sdk,
      client: new sdk.s3.S3Client(clientConfig(options, endpoint, deadlines)),
      signer: new sdk.s3.S3Client(clientConfig(options, publicEndpoint, deadlines)),
    }))
    return opened
  }

  async function call<T>(work: (client: S3Client, s3: AwsSdk['s3']) => Promise<T>): Promise<T> {
    const { client, sdk } = await open()
    try {
      return await work(client, sdk.s3)
    } catch (error) {
      throw toStorageError(error, bucket)
    }
  }

  const orNull = <T>(work: Promise<T>): Promise<T | null> =>
    work.catch((error: unknown) => {
      if (isAbsent(error)) return null
      throw error
    })

  const storage: Storage = {
    name: 's3',

    put: (key, body, { contentType, maxBytes = Number.POSITIVE_INFINITY }) =>
      call(async (client, s3) => {
        const target = at(key)
        if (!(body instanceof Uint8Array)) {
          await putStream(body, { client, s3, bucket, key: target.Key, contentType, maxBytes, deadlines })
        } else if (body.byteLength > maxBytes) {
          throw new StorageError('too_large', `The object is larger than the ${maxBytes} bytes that are allowed.`)
        } else {
          const command = new s3.PutObjectCommand({ ...target, Body: body, ContentType: contentType })
          await client.send(command, deadlines.call(body.byteLength))
        }
        return expectHead(key)
      }),

    get: (key) =>
      call(async (client, s3) => {
        // The client's own limits: a deadline of the call would also end the reading of the body.
        const found = await orNull(client.send(new s3.GetObjectCommand(at(key))))
        return found?.Body ? { ...describe(key, found), body: found.Body.transformToWebStream() } : null
      }),

    head: (key) =>
      call(async (client, s3) => {
        const found = await orNull(client.send(new s3.HeadObjectCommand(at(key)), deadlines.call()))
        return found ? describe(key, found) : null
      }),

    delete: (key) =>
      call(async (client, s3) => {
        await orNull(client.send(new s3.DeleteObjectCommand(at(key)), deadlines.call()))
      }),

    copy: (from, to) =>
      call(async (client, s3) => {
        const source = at(from)
        const command = new s3.CopyObjectCommand({ ...at(to), CopySource: encodeURI(`${bucket}/${source.Key}`) })
        if (!(await orNull(client.send(command, deadlines.copy()))))
          throw new StorageError('not_found', `There is no object "${from}".`)
        return expectHead(to)
      }),

    link: (from, to, { contentType, etag }) =>
      call(async (client, s3) => {
        const source = at(from)
        const command = new s3.CopyObjectCommand({
          ...at(to),
          CopySource: encodeURI(`${bucket}/${source.Key}`),
          CopySourceIfMatch: etag,
          MetadataDirective: 'REPLACE',
          ContentType: contentType,
        })
        const copied = await orNull(client.send(command, deadlines.copy())).catch((error: unknown) => {
          if (isOther(error)) return null
          throw error
        })
        const info = copied && (await expectHead(to))
        if (info?.etag === etag) return info
        // Not every server heeds the condition.
        if (info) await storage.delete(to)
        throw new StorageError('not_found', `There is no object "${from}", or it is another one by now.`)
      }),

    promote: async (from, to) => {
      const info = await storage.copy(from, to)
      await storage.delete(from)
      return info
    },

    async *list(keyPrefix) {
      const Prefix = prefix + checkPrefix(keyPrefix)
      let ContinuationToken: string | undefined
      do {
        const token = ContinuationToken
        const page = await call((client, s3) =>
          client.send(
            new s3.ListObjectsV2Command({ Bucket: bucket, Prefix, ContinuationToken: token }),
            deadlines.call(),
          ),
        )
        for (const { Key, Size, LastModified } of page.Contents ?? []) {
          if (Key === undefined) continue
          yield {
            key: Key.slice(prefix.length),
            size: Size ?? 0,
            lastModified: LastModified ?? new Date(0),
          } satisfies ListedObject
        }
        ContinuationToken = page.NextContinuationToken
      } while (ContinuationToken)
    },

    presignPut: async (key, { contentType, contentLength, maxBytes, expiresIn }) => {
      const target = at(key)
      if (contentLength !== undefined && contentLength > maxBytes) {
        throw new StorageError('too_large', `${contentLength} bytes are more than the ${maxBytes} that are allowed.`)
      }
      const { sdk, signer } = await open()
      const command = new sdk.s3.PutObjectCommand({
        ...target,
        ContentType: contentType,
        ...(contentLength === undefined ? {} : { ContentLength: contentLength }),
      })
      // Without signableHeaders the content type would be left out of the signature, and any would pass.
      const url = await sdk.getSignedUrl(signer, command, {
        expiresIn: expiry(expiresIn),
        signableHeaders: new Set(['content-type']),
      })
      return { url, headers: { 'content-type': contentType } }
    },

    presignGet: async (key, { expiresIn, downloadName }) => {
      const target = at(key)
      const { sdk, signer } = await open()
      const command = new sdk.s3.GetObjectCommand({
        ...target,
        ...(downloadName === undefined
          ? {}
          : { ResponseContentDisposition: `attachment; filename*=UTF-8''${encodeURIComponent(downloadName)}` }),
      })
      return sdk.getSignedUrl(signer, command, { expiresIn: expiry(expiresIn) })
    },

    check: () =>
      call(async (client, s3) => {
        await client.send(new s3.HeadBucketCommand({ Bucket: bucket }), deadlines.call()).catch((error: unknown) => {
          // A HEAD has no body, so the bucket's absence comes without its usual name.
          throw isAbsent(error) ? Object.assign(new Error('NoSuchBucket'), { name: 'NoSuchBucket' }) : error
        })
      }),

    close: async () => {
      const clients = await opened?.catch(() => undefined)
      clients?.client.destroy()
      clients?.signer.destroy()
    },
  }

  if (options.publicUrl !== undefined) {
    const base = options.publicUrl.replace(/\/+$/, '')
    storage.publicUrl = (key) => `${base}/${prefix}${checkKey(key)}`
  }

  async function expectHead(key: string) {
    const info = await storage.head(key)
    if (!info) throw new StorageError('not_found', `"${key}" was removed while it was being written.`)
    return info
  }

  return storage
}

/**
 * The SDK's defaults add a CRC32 of an empty body to presigned PUTs, and send streams in a framing that R2 and B2 refuse: WHEN_REQUIRED stops both.
 */
function clientConfig(options: S3StorageOptions, endpoint: string | undefined, deadlines: Deadlines): S3ClientConfig {
  return {
    region: options.region ?? 'auto',
    ...(endpoint === undefined ? {} : { endpoint }),
    credentials: { accessKeyId: options.accessKeyId, secretAccessKey: options.secretAccessKey },
    forcePathStyle: options.forcePathStyle ?? wantsPathStyle(endpoint),
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    ...deadlines.config,
  }
}

function wantsPathStyle(endpoint: string | undefined): boolean {
  return endpoint !== undefined && !/\.(amazonaws\.com|r2\.cloudflarestorage\.com)(:\d+)?\/?$/.test(endpoint)
}

function describe(
  key: string,
  answer: Pick<HeadObjectCommandOutput, 'ContentLength' | 'ContentType' | 'ETag' | 'LastModified'>,
) {
  return {
    key,
    size: answer.ContentLength ?? 0,
    contentType: answer.ContentType ?? 'application/octet-stream',
    etag: answer.ETag ?? '""',
    lastModified: answer.LastModified ?? new Date(0),
  }
}

function expiry(seconds: number): number {
  if (seconds > 0 && seconds <= MAX_PRESIGN_SECONDS) return seconds
  throw new StorageError('invalid_option', `A signed URL lives 1 to ${MAX_PRESIGN_SECONDS} s, not ${seconds} s.`)
}
