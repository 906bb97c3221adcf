/** One job from picture to mp4, inside the child: decode, resolve the settings, generate, encode, poster. */

import { readFile, writeFile } from 'node:fs/promises'
import { resolveSettings, type RequestedSettings } from '@kinora/protocol'
import type { Engine, ResolvedSettings } from '../engines/engine.ts'
import { EngineError } from '../failure.ts'
import type { Frame } from '../media/frame.ts'
import { decodePicture, encodePoster, encodeVideo, type Ffmpeg } from '../media/index.ts'

export interface VideoJob {
  /** Path of the picture's file. */
  readonly picture: string
  /** Paths to write to. */
  readonly video: string
  readonly poster: string
  readonly settings: RequestedSettings
}

export interface VideoContext {
  readonly engine: Engine
  readonly ffmpeg: Ffmpeg
  readonly signal: AbortSignal
  /** Told once the picture's size has settled them. */
  readonly onSettings: (settings: ResolvedSettings) => void
  /** @param fraction 0..1 of the generation */
  readonly onProgress: (fraction: number, detail?: string) => void
}

/**
 * @returns the settings the video was made with
 * @throws EngineError for a picture that cannot be read, an engine that made too few frames, ffmpeg; the signal's reason
 */
export async function makeVideo(job: VideoJob, context: VideoContext): Promise<ResolvedSettings> {
  const { engine, ffmpeg, signal } = context
  const picture = await decodePicture(await readFile(job.picture))
  signal.throwIfAborted()
  const settings = resolveSettings(job.settings, engine.defaults, picture)
  context.onSettings(settings)
  let poster: Frame | undefined
  let encoded = 0
  let generated = 0
  // Frames stream into ffmpeg while they are made: what an engine says about itself is the larger part, what is encoded the rest.
  const report = (detail?: string) =>
    context.onProgress(0.9 * generated + (0.1 * encoded) / settings.num_frames, detail)
  const frames = engine.generate(
    { picture, settings },
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
  return settings
}
