/** Finds an ffmpeg that can write H.264, and says how to get one where there is none. */

import { execFile } from 'node:child_process'
import { access, chmod, constants, copyFile, mkdir } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { basename, delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { EngineError } from '../failure.ts'

const run = promisify(execFile)

/**
 * H.264 encoders by preference. Hardware ones come after software: they are listed by many builds whose machine has no such hardware, so
 * each but the first is tried on a few frames before it is believed.
 */
export const H264_ENCODERS = [
  'libx264',
  'libopenh264',
  'h264_videotoolbox',
  'h264_nvenc',
  'h264_qsv',
  'h264_amf',
  'h264_mf',
] as const
export type H264Encoder = (typeof H264_ENCODERS)[number]

export interface Ffmpeg {
  /** Path of the executable. */
  readonly path: string
  /** Where it was found. */
  readonly source: 'FFMPEG_PATH' | 'PATH' | '@ffmpeg-installer/ffmpeg'
  /** As it calls itself: `5.1.9-0+deb12u1`. */
  readonly version: string
  /** The H.264 encoders it lists, best first. */
  readonly encoders: readonly H264Encoder[]
  /** The one that works here. */
  readonly encoder: H264Encoder
}

export interface FindFfmpegOptions {
  /** @default process.env */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Path of the executable that `@ffmpeg-installer/ffmpeg` brought, or undefined. For tests. */
  readonly installed?: () => string | undefined
}

/**
 * Looks at FFMPEG_PATH, then PATH, then the package `@ffmpeg-installer/ffmpeg`, and takes the first that writes H.264.
 * Once FFMPEG_PATH is set nothing else is looked at: whoever names one wants that one.
 *
 * @throws EngineError `encode_failed` that says what was tried and how to install one
 */
export async function findFfmpeg(options: FindFfmpegOptions = {}): Promise<Ffmpeg> {
  const { env = process.env, installed = installedByNpm } = options
  const problems: string[] = []
  for (const candidate of candidates(env, installed)) {
    try {
      const path = candidate.source === '@ffmpeg-installer/ffmpeg' ? await executable(candidate.path) : candidate.path
      return await inspect(path, candidate.source)
    } catch (error) {
      const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT'
      if (missing && candidate.source === 'PATH') continue
      problems.push(`${candidate.path} (${candidate.source}): ${missing ? 'does not exist' : firstLine(error)}`)
    }
  }
  const tried = problems.length > 0 ? ` Tried: ${problems.join('; ')}.` : ''
  throw new EngineError(
    'encode_failed',
    `No ffmpeg with an H.264 encoder was found.${tried} Install one (apt install ffmpeg, brew install ffmpeg, winget install ffmpeg, or npm install @ffmpeg-installer/ffmpeg) or name it in FFMPEG_PATH.`,
    { retryable: true },
  )
}

interface Candidate {
  readonly path: string
  readonly source: Ffmpeg['source']
}

function* candidates(
  env: Readonly<Record<string, string | undefined>>,
  installed: () => string | undefined,
): Generator<Candidate> {
  const named = env['FFMPEG_PATH']
  if (named) {
    yield { path: named, source: 'FFMPEG_PATH' }
    return
  }
  const name = process.platform === 'win32' ? 'ffmpeg.exe' : 'ffmpeg'
  const folders = (env['PATH'] ?? env['Path'] ?? '').split(delimiter).filter((folder) => folder !== '')
  for (const folder of folders) yield { path: join(folder, name), source: 'PATH' }
  const path = installed()
  if (path !== undefined) yield { path, source: '@ffmpeg-installer/ffmpeg' }
}

function installedByNpm(): string | undefined {
  try {
    const require = createRequire(import.meta.url)
    const found: unknown = require('@ffmpeg-installer/ffmpeg')
    if (typeof found !== 'object' || found === null || !('path' in found)) return undefined
    return typeof found.path === 'string' ? found.path : undefined
  } catch {
    // Not installed, or there is none for this platform: the package throws a string then.
    return undefined
  }
}

/** The package sets the executable bit in an install script, which may not have run; node_modules may be read-only. */
async function executable(path: string): Promise<string> {
  const runnable = () =>
    access(path, constants.X_OK).then(
      () => true,
      () => false,
    )
  if (await runnable()) return path
  await chmod(path, 0o755).catch(() => undefined)
  if (await runnable()) return path
  const folder = join(tmpdir(), `kinora-ffmpeg-${process.getuid?.() ?? 'user'}`)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const copy = join(folder, basename(path))
  await copyFile(path, copy)
  await chmod(copy, 0o755)
  return copy
}

async function inspect(path: string, source: Ffmpeg['source']): Promise<Ffmpeg> {
  const { stdout: banner } = await run(path, ['-hide_banner', '-version'], { timeout: 20_000 })
  const { stdout: list } = await run(path, ['-hide_banner', '-encoders'], { timeout: 20_000 })
  const version = /ffmpeg version (\S+)/.exec(banner)?.[1] ?? 'unknown'
  const listed = new Set(Array.from(list.matchAll(/^ V\S+ (\S+)/gm), (match) => match[1]))
  const encoders = H264_ENCODERS.filter((name) => listed.has(name))
  for (const encoder of encoders) {
    if (encoder === 'libx264' || (await works(path, encoder))) return { path, source, version, encoders, encoder }
  }
  throw new Error(
    encoders.length === 0
      ? `ffmpeg ${version} has none of the H.264 encoders ${H264_ENCODERS.join(', ')}`
      : `none of ffmpeg ${version}'s H.264 encoders (${encoders.join(', ')}) works on this machine`,
  )
}

/** Encodes some grey frames to nowhere. 256x256 because hardware encoders refuse very small ones. */
async function works(path: string, encoder: H264Encoder): Promise<boolean> {
  const input = ['-f', 'rawvideo', '-pix_fmt', 'yuv420p', '-video_size', '256x256', '-framerate', '24', '-i', 'pipe:0']
  const trial = run(path, ['-v', 'error', ...input, '-c:v', encoder, '-pix_fmt', 'yuv420p', '-f', 'null', '-'], {
    timeout: 20_000,
  })
  trial.child.stdin?.on('error', () => undefined).end(Buffer.alloc(256 * 256 * 1.5 * 8, 128))
  return trial.then(
    () => true,
    () => false,
  )
}

function firstLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  return (text.split('\n')[0] ?? '').slice(0, 300)
}
