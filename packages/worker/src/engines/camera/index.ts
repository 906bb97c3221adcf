/**
 * The engine `camera`: moves a virtual camera over the picture. No weights, no imagination: a preview, and an honest one.
 *
 *     prompt → words → motion → path → a view for each frame → samples of it → frames
 */

import { BUILT_IN_ABILITIES } from '@kinora/protocol'
import type { Engine } from '../engine.ts'
import { findFocus } from './focus.ts'
import { planMotion } from './motion.ts'
import { cameraPath, seenRectangle } from './path.ts'
import { look } from './sampler.ts'
import { readPrompt } from './words.ts'
import { workingPicture } from './working-picture.ts'

export async function createCameraEngine(): Promise<Engine> {
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
      const planes = await workingPicture(picture, seen, widest, frame)
      for (const [index, pose] of poses.entries()) {
        context.signal.throwIfAborted()
        yield { width, height, data: look(planes, frame, pose, seen), format: 'yuv420p' }
        context.progress((index + 1) / num_frames)
      }
    },
    close: async () => undefined,
  }
}
