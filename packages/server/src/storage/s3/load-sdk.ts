import type * as S3 from '@aws-sdk/client-s3'
import type * as Presigner from '@aws-sdk/s3-request-presigner'

/** The AWS SDK is an optional peer: nobody who keeps files on disk has to install it. */
export interface AwsSdk {
  readonly s3: typeof S3
  readonly getSignedUrl: typeof Presigner.getSignedUrl
}

let loaded: Promise<AwsSdk> | undefined

/** @throws Error that says what to install */
export function loadAwsSdk(): Promise<AwsSdk> {
  loaded ??= load()
  return loaded
}

async function load(): Promise<AwsSdk> {
  try {
    const [s3, presigner] = await Promise.all([import('@aws-sdk/client-s3'), import('@aws-sdk/s3-request-presigner')])
    return { s3, getSignedUrl: presigner.getSignedUrl }
  } catch (cause) {
    throw new Error(
      'S3 storage needs two packages that are not installed: npm install @aws-sdk/client-s3 @aws-sdk/s3-request-presigner',
      { cause },
    )
  }
}
