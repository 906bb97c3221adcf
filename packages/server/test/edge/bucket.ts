/** For tests: a bucket of a real S3 server, with an endpoint for clients that checks presigned URLs as S3 does. */
import { mkdtemp, rm } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import S3rver from 's3rver'
import { createS3Storage } from '../../src/storage/index.ts'
import { startVerifyingEndpoint } from './verifying-endpoint.ts'

export const KEYS = { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' }

/** A bucket of a real server, with a second endpoint for clients that checks signatures as S3 does: the one here does not. */
export async function openBucket() {
  const directory = await mkdtemp(path.join(tmpdir(), 'kinora-s3-'))
  const server = new S3rver({
    port: 0,
    address: '127.0.0.1',
    silent: true,
    directory,
    configureBuckets: [{ name: 'videos', configs: [] }],
  })
  const address: AddressInfo = await server.run()
  const endpoint = `http://127.0.0.1:${address.port}`
  let offset = 0
  const front = await startVerifyingEndpoint({
    behind: endpoint,
    secretAccessKey: KEYS.secretAccessKey,
    now: () => Date.now() + offset * 1000,
  })
  const storage = createS3Storage({
    ...KEYS,
    bucket: 'videos',
    endpoint,
    publicEndpoint: front.url,
    region: 'us-east-1',
    prefix: 'kinora/',
  })
  return {
    storage,
    publicEndpoint: front.url,
    advance: (seconds: number) => void (offset += seconds),
    close: async () => {
      await storage.close()
      await front.close()
      await server.close()
      await rm(directory, { recursive: true, force: true })
    },
  }
}
