/** Sends one picture through H.264 and back, so that it carries the traces that frames of videos carry. */

import { spawn } from 'node:child_process'
import { EngineError } from '../failure.ts'
import { cutOut } from './cut-out.ts'
import { findFfmpeg, type Ffmpeg } from './ffmpeg.ts'
import type { Picture } from './frame.ts'

/**
 * A picture as it comes out of H.264. An odd side loses its last row or column, since the codec's colours stand two by two.
 * @param crf 1..51, libx264's rate factor: more compresses more
 * @throws EngineError `encode_failed` with the last words of ffmpeg
 */
export type H264RoundTrip = (picture: Picture, crf: number) => Promise<Picture>

/** One frame takes less than a second, and 50 megapixels some seconds. */
const patience = 120_000

/**
 * Finds an ffmpeg that does it, and tries it once. Only libx264 knows rate factors; the quantisers of other encoders would be other numbers.
 * @throws EngineError `encode_failed` that says what is missing
 */
export async function findH264RoundTrip(): Promise<H264RoundTrip> {
  const ffmpeg = await findFfmpeg()
  if (!ffmpeg.encoders.includes('libx264')) {
    throw new EngineError(
      'encode_failed',
      `the ffmpeg ${ffmpeg.version} at ${ffmpeg.path} has no libx264. Install one that has (apt install ffmpeg, brew install ffmpeg, npm install @ffmpeg-installer/ffmpeg) or name it in FFMPEG_PATH`,
    )
  }
  await throughH264(ffmpeg, { width: 16, height: 16, data: new Uint8Array(16 * 16 * 3).fill(128) }, 29)
  return (picture, crf) => throughH264(ffmpeg, picture, crf)
}

async function throughH264({ path }: Pick<Ffmpeg, 'path'>, picture: Picture, crf: number): Promise<Picture> {
  const even = evenSides(picture)
  const { width, height } = even
  const stream = await run(path, encodeArguments(width, height, crf), even.data)
  const data = await run(path, decodeArguments, stream)
  if (data.length === width * height * 3) return { width, height, data }
  throw new EngineError(
    'encode_failed',
    `A picture of ${width}x${height} came back from H.264 with ${data.length} bytes instead of ${width * height * 3}.`,
    { retryable: true },
  )
}

/** Between RGB and YCbCr by BT.601, the matrix of streams that name none, both ways. */
const quiet = '-hide_banner -loglevel error'
const matrix = 'color_matrix=bt601'

function encodeArguments(width: number, height: number, crf: number): string[] {
  const input = `-f rawvideo -pix_fmt rgb24 -video_size ${width}x${height} -framerate 1 -i pipe:0`
  const colour = `-vf scale=in_range=pc:out_range=tv:out_${matrix}:flags=bilinear,format=yuv420p`
  return `${quiet} ${input} ${colour} -frames:v 1 -c:v libx264 -preset veryfast -crf ${crf} -f h264 pipe:1`.split(' ')
}

const decodeArguments =
  `${quiet} -f h264 -i pipe:0 -vf scale=in_range=tv:out_range=pc:in_${matrix}:flags=bilinear,format=rgb24 -frames:v 1 -f rawvideo pipe:1`.split(
    ' ',
  )

function evenSides(picture: Picture): Picture {
  const width = picture.width - (picture.width % 2)
  const height = picture.height - (picture.height % 2)
  if (width === 0 || height === 0) {
    throw new EngineError(
      'image_invalid',
      `A picture of ${picture.width}x${picture.height} pixels is too small to be sent through H.264. Send a larger one, or ask for image_crf: 0.`,
    )
  }
  return cutOut(picture, { x: 0, y: 0, width, height })
}

/** What ffmpeg writes for what it reads. */
async function run(path: string, options: readonly string[], input: Uint8Array): Promise<Buffer> {
  const child = spawn(path, options, { stdio: ['pipe', 'pipe', 'pipe'], timeout: patience, killSignal: 'SIGKILL' })
  const output: Buffer[] = []
  let words = ''
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (words = (words + text).slice(-2000)))
  // A broken pipe only says that ffmpeg has ended; why, its exit tells.
  child.stdin.on('error', () => undefined).end(input)
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  }).catch((cause: unknown) => {
    throw new EngineError('encode_failed', `${path} could not be started for the picture's way through H.264.`, {
      retryable: true,
      cause,
    })
  })
  if (code === 0) return Buffer.concat(output)
  throw new EngineError(
    'encode_failed',
    `ffmpeg could not send the picture through H.264: ${words.trim() || `it ended with ${code ?? 'a signal'}`}`,
    { retryable: true },
  )
}
