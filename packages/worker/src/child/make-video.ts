/** One job from pictures to mp4, inside the child: decode, resolve the settings, place the pictures, generate, encode, poster. */

import { readFile, writeFile } from 'node:fs/promises'
import {
  frameOf,
  isAtStart,
  MAX_NOTICE_LENGTH,
  MAX_NOTICES,
  type RequestedSettings,
  type ResolvedSettings,
} from '@kinora/protocol'
import type { Engine, Keyframe, Resolution } from '../engines/engine.ts'
import { checkPlaces } from '../engines/keyframes.ts'
import { resolveRequest } from '../engines/resolution.ts'
import { EngineError } from '../failure.ts'
import type { Frame, Picture } from '../media/frame.ts'
import { decodePicture, encodePoster, encodeVideo, type Ffmpeg } from '../media/index.ts'
import type { JobPicture } from './messages.ts'

export interface VideoJob {
  /** One of them at the start. */
  readonly pictures: readonly JobPicture[]
  /** Paths to write to. */
  readonly video: string
  readonly poster: string
  readonly settings: RequestedSettings
}

export interface VideoContext {
  readonly engine: Engine
  readonly ffmpeg: Ffmpeg
  readonly signal: AbortSignal
  /** Told once the first picture's size has settled it, before the work. */
  readonly onResolved: (resolution: Resolution) => void
  /** @param fraction 0..1 of the generation */
  readonly onProgress: (fraction: number, detail?: string) => void
}

/**
 * @returns what the video was made with
 * @throws EngineError for a picture that cannot be read or placed, settings that cannot be, an engine that made too few frames, ffmpeg; the
 *   signal's reason
 */
export async function makeVideo(job: VideoJob, context: VideoContext): Promise<Resolution> {
  const { engine, ffmpeg, signal } = context
  const first = job.pictures.find(isAtStart)
  if (first === undefined) {
    throw new EngineError('invalid_settings', 'No picture stands at the start of the video. Give one there.')
  }
  const picture = await decodeFile(first)
  signal.throwIfAborted()
  const resolution = await resolveJob(engine, job.settings, first, picture)
  const { settings } = resolution
  const keyframes = await decodeKeyframes(engine, job.pictures, first, { settings, signal })
  context.onResolved(resolution)
  let poster: Frame | undefined
  let encoded = 0
  let generated = 0
  // Frames stream into ffmpeg while they are made: what an engine says about itself is the larger part, what is encoded the rest.
  const report = (detail?: string) =>
    context.onProgress(0.9 * generated + (0.1 * encoded) / settings.num_frames, detail)
  const frames = engine.generate(
    { picture, keyframes, settings },
    {
      signal,
      progress: (fraction, detail) => {
        generated = Math.max(generated, Math.min(fraction, 1))
        report(detail)
      },
    },
  )
  const count = await encodeVideo(frames, {
    ffmpeg,
    signal,
    output: job.video,
    width: settings.width,
    height: settings.height,
    fps: settings.fps,
    onFrame: (frame, index) => {
      poster ??= frame
      encoded = index + 1
      report()
    },
  })
  if (count !== settings.num_frames || poster === undefined) {
    throw new EngineError(
      'engine_error',
      `The engine ${engine.name} made ${count} frames; ${settings.num_frames} were asked for.`,
    )
  }
  await writeFile(job.poster, await encodePoster(poster))
  return resolution
}

/** The first picture's own strength counts before the setting; notices are kept to what the wire takes. */
async function resolveJob(
  engine: Engine,
  asked: RequestedSettings,
  { strength }: JobPicture,
  picture: Picture,
): Promise<Resolution> {
  const own = strength < 1
  const settled = await resolveRequest(engine, own ? { ...asked, image_strength: strength } : asked, picture)
  const { image_strength } = asked
  const overruled = own && image_strength !== undefined && image_strength !== strength
  const notices = overruled
    ? [
        ...settled.notices,
        `The first picture has a strength of its own; image_strength: ${image_strength} was left aside.`,
      ]
    : settled.notices
  return {
    settings: settled.settings,
    notices: notices.slice(0, MAX_NOTICES).map((notice) => notice.slice(0, MAX_NOTICE_LENGTH)),
  }
}

/** Every picture but the first, with its frame. All are placed before any of them is decoded. */
async function decodeKeyframes(
  engine: Engine,
  pictures: readonly JobPicture[],
  first: JobPicture,
  { settings, signal }: { settings: ResolvedSettings; signal: AbortSignal },
): Promise<Keyframe[]> {
  if (pictures.length > 1 && engine.abilities?.images !== true) {
    throw new EngineError(
      'invalid_settings',
      `The engine ${engine.name} as it runs here takes the first picture only, not ${pictures.length}. Leave the others out, or ask for a model that takes them.`,
    )
  }
  const placed = pictures.map((picture) => ({ ...picture, frame: frameOf(picture, settings) }))
  checkPlaces(placed, settings.num_frames)
  const keyframes: Keyframe[] = []
  for (const [index, { frame, strength }] of placed.entries()) {
    const picture = pictures[index]
    if (picture === undefined || picture === first) continue
    signal.throwIfAborted()
    keyframes.push({ frame, strength, picture: await decodeFile(picture) })
  }
  return keyframes.toSorted((a, b) => a.frame - b.frame)
}

async function decodeFile({ file }: JobPicture): Promise<Picture> {
  return decodePicture(await readFile(file))
}
