/**
 * The engine `camera`: moves a virtual camera over the picture. No weights, no imagination: a preview, and an honest one.
 *
 *     prompt → words → motion → path → a grid for each frame → GridSample in ONNX Runtime → frames
 */

import { BUILT_IN_ABILITIES } from '@kinora/protocol'
import { EngineError } from '../../failure.ts'
import { SessionError } from '../../onnx/index.ts'
import type { Engine } from '../engine.ts'
import { findFocus } from './focus.ts'
import { gridMatrix } from './grid.ts'
import { planMotion } from './motion.ts'
import { cameraPath, seenRectangle } from './path.ts'
import { openSampler } from './sampler.ts'
import { readPrompt } from './words.ts'
import { workingPicture } from './working-picture.ts'

export interface CameraEngineOptions {
  /** CPU threads. @default 1: sampling luma does not parallelise, and the encoder uses the other cores meanwhile */
  readonly threads?: number
}

export async function createCameraEngine(options: CameraEngineOptions = {}): Promise<Engine> {
  const sampler = await openSampler(options.threads ?? 1)
  return {
    name: 'camera',
    provider: 'cpu',
    defaults: {},
    abilities: BUILT_IN_ABILITIES.camera,
    async *generate({ picture, settings }, context) {
      const { width, height, num_frames, prompt, seed, duration } = settings
      const frame = { width, height }
      const focus = await findFocus(picture)
      const motion = planMotion({ words: readPrompt(prompt), seed, duration, picture, frame, focus })
      const path = cameraPath(motion, picture, frame)
      const poses = Array.from({ length: num_frames }, (_, index) =>
        path(num_frames > 1 ? index / (num_frames - 1) : 0),
      )
      const seen = seenRectangle(poses, picture, frame)
      const widest = Math.max(...poses.map((pose) => pose.width))
      const look = sampler.prepare(await workingPicture(picture, seen, widest, frame), frame)
      for (const [index, pose] of poses.entries()) {
        context.signal.throwIfAborted()
        const data = await look(gridMatrix(pose, seen)).catch(refuse)
        yield { width, height, data, format: 'yuv420p' }
        context.progress((index + 1) / num_frames)
      }
    },
    close: () => sampler.close(),
  }
}

function refuse(error: unknown): never {
  if (error instanceof SessionError && error.outOfMemory) {
    throw new EngineError('out_of_memory', error.message, { retryable: true, cause: error })
  }
  throw error
}
