/** Looks at videos as a player does: by decoding them. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { findFfmpeg } from '@kinora/worker'

/**
 * Decodes a whole mp4 and counts its frames.
 * @throws when ffmpeg finds anything wrong with it
 */
export async function countFrames(video: Uint8Array): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'kinora-video-'))
  try {
    const file = join(folder, 'video.mp4')
    await writeFile(file, video)
    const { path } = await findFfmpeg()
    const ffmpeg = spawn(path, ['-v', 'error', '-xerror', '-i', file, '-map', '0:v', '-f', 'framemd5', '-'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const [frames, errors] = await Promise.all([text(ffmpeg.stdout), text(ffmpeg.stderr), once(ffmpeg, 'close')])
    if (ffmpeg.exitCode !== 0 || errors.trim()) throw new Error(`The video is not whole: ${errors.trim()}`)
    return frames.split('\n').filter((line) => line && !line.startsWith('#')).length
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
