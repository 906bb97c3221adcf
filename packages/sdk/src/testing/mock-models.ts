/** What the pretended server says of its models. */
import {
  type Abilities,
  DURATION,
  FPS,
  MAX_FRAME_PIXELS,
  MAX_FRAMES,
  type ModelList,
  SIZE_STEP,
} from '@kinora/protocol'

const limits = {
  max_duration: DURATION.max,
  max_pixels: MAX_FRAME_PIXELS,
  max_frames: MAX_FRAMES,
  size_step: SIZE_STEP,
  fps: { min: FPS.min, max: FPS.max },
}

export function modelList(models: readonly string[], abilities: Readonly<Record<string, Abilities>>): ModelList {
  return {
    models: models.map((model, index) => ({
      model,
      default: index === 0,
      available: true,
      ...(abilities[model] && { abilities: abilities[model] }),
      limits,
    })),
  }
}
