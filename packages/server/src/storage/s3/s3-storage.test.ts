import { describe, expect, it } from 'vitest'
import { KEYS, openBucket } from '../../../test/edge/bucket.ts'
import { storageConformance } from '../../../test/storage/conformance.ts'
import { createS3Storage } from './s3-storage.ts'

storageConformance('s3', openBucket)

describe('the s3 driver', () => {
  const r2 = createS3Storage({
    accessKeyId: 'key',
    secretAccessKey: 'secret',
    bucket: 'videos',
    endpoint: 'https://account.r2.cloudflarestorage.com',
  })
  const put = { contentType: 'image/jpeg', contentLength: 5, maxBytes: 10, expiresIn: 3600 }

  it('signs type and length of a PUT, and adds no checksum of an empty body', async () => {
    const url = new URL((await r2.presignPut('uploads/x.jpg', put)).url)
    expect(url.searchParams.get('X-Amz-SignedHeaders')?.split(';')).toEqual(['content-length', 'content-type', 'host'])
    expect([...url.searchParams.keys()].filter((name) => /checksum|crc32/i.test(name))).toEqual([])
    expect(url.searchParams.get('X-Amz-Expires')).toBe('3600')
    expect(url.searchParams.get('X-Amz-Credential')).toContain('/auto/s3/')
  })

  it('puts the bucket into the host name on R2 and AWS, into the path elsewhere, or as told', async () => {
    const urlFor = async (more: object): Promise<URL> =>
      new URL(
        await createS3Storage({ ...KEYS, bucket: 'videos', region: 'eu-west-1', ...more }).presignGet('a/b', {
          expiresIn: 60,
        }),
      )
    expect(new URL(await r2.presignGet('a/b', { expiresIn: 60 })).host).toBe('videos.account.r2.cloudflarestorage.com')
    expect((await urlFor({})).host).toBe('videos.s3.eu-west-1.amazonaws.com')
    expect((await urlFor({ endpoint: 'http://seaweed:8333' })).pathname).toBe('/videos/a/b')
    expect((await urlFor({ endpoint: 'http://seaweed:8333', forcePathStyle: false })).host).toBe('videos.seaweed:8333')
  })

  it('hands out the public endpoint, not the internal one', async () => {
    const storage = createS3Storage({
      ...KEYS,
      bucket: 'videos',
      endpoint: 'http://minio.internal:9000',
      publicEndpoint: 'https://files.example.com',
    })
    expect((await storage.presignPut('a', put)).url).toMatch(/^https:\/\/files\.example\.com\/videos\/a\?/)
    expect(await storage.presignGet('a', { expiresIn: 60 })).toMatch(/^https:\/\/files\.example\.com\/videos\/a\?/)
  })

  it('links to the public address of the bucket where there is one', () => {
    expect('publicUrl' in r2).toBe(false)
    const storage = createS3Storage({ ...KEYS, bucket: 'videos', publicUrl: 'https://cdn.example.com/', prefix: 'v/' })
    expect(storage.publicUrl!('outputs/1/output.mp4')).toBe('https://cdn.example.com/v/outputs/1/output.mp4')
  })

  it('says what is wrong with a bucket that cannot be used', async () => {
    const bucket = await openBucket()
    const endpoint = new URL(await bucket.storage.presignGet('x', { expiresIn: 60 })).origin
    const nowhere = createS3Storage({ ...KEYS, bucket: 'videos', endpoint: 'http://127.0.0.1:9', region: 'auto' })
    await expect(nowhere.check()).rejects.toMatchObject({ code: 'unavailable', retryable: true })
    await expect(nowhere.check()).rejects.toThrow(/"videos" cannot be used: ECONNREFUSED/)
    const forbidden = createS3Storage({ ...KEYS, bucket: 'videos', endpoint, region: 'us-east-1' })
    await expect(forbidden.check()).rejects.toThrow(/"videos" cannot be used: access was denied/)
    await Promise.all([nowhere.close(), forbidden.close(), bucket.close()])
  })
})
