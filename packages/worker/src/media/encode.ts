/** Writes frames as an mp4 that every browser plays: raw pixels go through a pipe to ffmpeg, no faster than it takes them. */

import { spawn, type ChildProcessByStdio } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import { EngineError } from '../failure.ts'
import type { Ffmpeg, H264Encoder } from './ffmpeg.ts'
import type { Frame, FrameFormat } from './frame.ts'

export interface EncodeOptions {
  readonly ffmpeg: Pick<Ffmpeg, 'path' | 'encoder'>
  /** Path of the mp4; what lies there is replaced. */
  readonly output: string
  /** Even numbers. */
  readonly width: number
  readonly height: number
  readonly fps: number
  /** When aborted, ffmpeg is killed and the signal's reason thrown. */
  readonly signal?: AbortSignal
  /** Told about each frame once ffmpeg has taken it, counting from 0. */
  readonly onFrame?: (frame: Frame, index: number) => void
}

/**
 * Encodes all frames: H.264, yuv420p, BT.709 limited range, the index in front (faststart).
 *
 * @returns how many frames were written
 * @throws EngineError `encode_failed` with the last words of ffmpeg; whatever `frames` throws; the signal's reason
 */
export async function encodeVideo(
  frames: AsyncIterable<Frame> | Iterable<Frame>,
  options: EncodeOptions,
): Promise<number> {
  const { signal } = options
  signal?.throwIfAborted()
  let ffmpeg: Running | undefined
  const kill = () => ffmpeg?.process.kill('SIGKILL')
  signal?.addEventListener('abort', kill)
  // An exit of this process leaves no ffmpeg behind that waits for frames.
  process.once('exit', kill)
  try {
    let count = 0
    for await (const frame of frames) {
      signal?.throwIfAborted()
      checkFrame(frame, count, options)
      // Not before the first frame: only it says in which format frames come.
      ffmpeg ??= start(options, frame.format)
      await ffmpeg.write(frame.data)
      options.onFrame?.(frame, count)
      count += 1
    }
    if (ffmpeg === undefined) throw new EngineError('engine_error', 'The engine made no frames.')
    await ffmpeg.finish()
    return count
  } catch (error) {
    kill()
    await ffmpeg?.ended
    signal?.throwIfAborted()
    throw error
  } finally {
    signal?.removeEventListener('abort', kill)
    process.off('exit', kill)
  }
}

function checkFrame(frame: Frame, index: number, { width, height }: EncodeOptions): void {
  const bytes = width * height * (frame.format === 'yuv420p' ? 1.5 : 3)
  if (frame.width === width && frame.height === height && frame.data.byteLength === bytes) return
  throw new EngineError(
    'engine_error',
    `The engine made frame ${index} as ${frame.width}x${frame.height} with ${frame.data.byteLength} bytes; ${width}x${height} with ${bytes} bytes were asked for.`,
  )
}

interface Running {
  readonly process: ChildProcessByStdio<Writable, null, Readable>
  /** Resolves once the process is gone, however it ended. */
  readonly ended: Promise<void>
  write(data: Uint8Array): Promise<void>
  finish(): Promise<void>
}

function start(options: EncodeOptions, format: FrameFormat | undefined): Running {
  const child = spawn(options.ffmpeg.path, encodeArguments(options, format), { stdio: ['pipe', 'ignore', 'pipe'] })
  let words = ''
  let failure: EngineError | undefined
  child.stderr.setEncoding('utf8').on('data', (text: string) => (words = (words + text).slice(-2000)))
  const ended = new Promise<void>((resolve) => {
    child.once('error', (error) => {
      failure = new EngineError('encode_failed', `${options.ffmpeg.path} could not be started: ${error.message}`, {
        retryable: true,
        cause: error,
      })
      resolve()
    })
    child.once('close', (code, killedBy) => {
      if (code !== 0) {
        const how = code === null ? `was killed (${killedBy})` : `ended with code ${code}`
        failure ??= new EngineError('encode_failed', `ffmpeg ${how}: ${words.trim() || 'it said nothing'}`, {
          retryable: true,
        })
      }
      resolve()
    })
  })
  const check = async () => {
    await ended
    if (failure !== undefined) throw failure
  }
  // A broken pipe only says that ffmpeg has ended; why, its exit tells.
  child.stdin.on('error', () => undefined)
  return {
    process: child,
    ended,
    write: async (data) => {
      const error = await new Promise<Error | null | undefined>((resolve) => child.stdin.write(data, resolve))
      if (!error) return
      await check()
      throw new EngineError('encode_failed', `ffmpeg ended before it had all frames: ${words.trim()}`, {
        retryable: true,
        cause: error,
      })
    },
    finish: async () => {
      child.stdin.end()
      await check()
    },
  }
}

/**
 * The command line, for H.264 that every browser plays.
 * @param format of the frames that come through the pipe. Default: `rgb24`
 */
export function encodeArguments(options: EncodeOptions, format: FrameFormat = 'rgb24'): string[] {
  const { width, height, fps, output, ffmpeg } = options
  const input = `-f rawvideo -pix_fmt ${format} -video_size ${width}x${height} -framerate ${fps} -i pipe:0`
  // Without naming the matrix, swscale uses BT.601 whatever the tags below say, and greens shift.
  const convert =
    '-vf scale=in_range=pc:out_range=tv:out_color_matrix=bt709:flags=bicubic+accurate_rnd,format=yuv420p -an'
  const colour = format === 'rgb24' ? convert : '-an'
  const tags = '-color_range tv -colorspace bt709 -color_primaries bt709 -color_trc bt709'
  const settings = quality(ffmpeg.encoder, width * height * fps)
  const line = `-hide_banner -loglevel error -y ${input} ${colour} -c:v ${ffmpeg.encoder} ${settings} -pix_fmt yuv420p -g ${fps * 2} ${tags} -movflags +faststart -f mp4`
  return [...line.split(' '), output]
}

/** About the same quality from each encoder; those without a quality scale get 0.12 bits a pixel. */
function quality(encoder: H264Encoder, pixelsPerSecond: number): string {
  switch (encoder) {
    case 'libx264':
      // Without B frames, and with small differences kept (grain): the usual settings move a slow pan in steps of 0.06 px.
      return '-profile:v high -preset faster -tune grain -bf 0 -crf 18'
    case 'h264_nvenc':
      return '-profile:v high -rc vbr -cq 20 -b:v 0'
    case 'h264_qsv':
      return '-profile:v high -global_quality 20'
    default:
      return `-b:v ${Math.max(Math.round(pixelsPerSecond * 0.12), 500_000)}`
  }
}
