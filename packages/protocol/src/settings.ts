/** How a request, a model's recipe and the contract's defaults become the settings a video is made with. Pure functions, used by the worker. */
import * as z from 'zod/mini'
import { explained } from './explain.ts'
import {
  DEFAULT_FRAME_PIXELS,
  DEFAULT_NEGATIVE_PROMPT,
  DEFAULT_PROMPT,
  DEFAULT_STEPS,
  DURATION,
  FPS,
  GUIDANCE_SCALE,
  MAX_FRAME_PIXELS,
  MAX_PROMPT_LENGTH,
  MAX_SEED,
  SIDE,
  SIZE_STEP,
  STEPS,
} from './limits.ts'

const side = z
  .int(explained)
  .check(z.minimum(SIDE.min, explained), z.maximum(SIDE.max, explained), z.multipleOf(SIZE_STEP, explained))

/** The fields of a request that shape the video. Everything but `duration` may be left open. */
export const settingsFields = {
  prompt: z.optional(z.string(explained).check(z.maxLength(MAX_PROMPT_LENGTH, explained))),
  negative_prompt: z.optional(z.string(explained).check(z.maxLength(MAX_PROMPT_LENGTH, explained))),
  duration: z._default(
    z.int(explained).check(z.minimum(DURATION.min, explained), z.maximum(DURATION.max, explained)),
    DURATION.default,
  ),
  seed: z.optional(z.int(explained).check(z.minimum(0, explained), z.maximum(MAX_SEED, explained))),
  width: z.optional(side),
  height: z.optional(side),
  fps: z.optional(z.int(explained).check(z.minimum(FPS.min, explained), z.maximum(FPS.max, explained))),
  steps: z.optional(z.int(explained).check(z.minimum(STEPS.min, explained), z.maximum(STEPS.max, explained))),
  guidance_scale: z.optional(
    z.number(explained).check(z.minimum(GUIDANCE_SCALE.min, explained), z.maximum(GUIDANCE_SCALE.max, explained)),
  ),
}

/** What a worker is asked for: the request's own words plus a seed, which the server draws once so that a second attempt makes the same video. */
export const RequestedSettings = z.object(
  { ...settingsFields, seed: z.int(explained).check(z.minimum(0, explained), z.maximum(MAX_SEED, explained)) },
  explained,
)
export type RequestedSettings = z.output<typeof RequestedSettings>

/** What the video was really made with; it stands in the job once a worker has the picture. */
export const ResolvedSettings = z.object(
  {
    prompt: z.string(explained).check(z.maxLength(MAX_PROMPT_LENGTH, explained)),
    negative_prompt: z.optional(z.string(explained).check(z.maxLength(MAX_PROMPT_LENGTH, explained))),
    duration: z.int(explained).check(z.minimum(DURATION.min, explained), z.maximum(DURATION.max, explained)),
    seed: z.int(explained).check(z.minimum(0, explained), z.maximum(MAX_SEED, explained)),
    width: side,
    height: side,
    fps: z.int(explained).check(z.minimum(FPS.min, explained), z.maximum(FPS.max, explained)),
    num_frames: z.int(explained).check(z.minimum(1, explained)),
    steps: z.optional(z.int(explained).check(z.minimum(STEPS.min, explained), z.maximum(STEPS.max, explained))),
    guidance_scale: z.optional(
      z.number(explained).check(z.minimum(GUIDANCE_SCALE.min, explained), z.maximum(GUIDANCE_SCALE.max, explained)),
    ),
  },
  explained,
)
export type ResolvedSettings = z.output<typeof ResolvedSettings>

/** What a model prefers where the request says nothing. */
export type Recipe = Partial<Omit<ResolvedSettings, 'duration' | 'seed' | 'num_frames'>>

/** Frames of a video of `duration` seconds at `fps`: floor(duration * fps / 8) * 8 + 1, the 8k+1 that LTX-Video's latents need. */
export function frameCount(duration: number, fps: number): number {
  return Math.floor((duration * fps) / 8) * 8 + 1
}

/**
 * The size of a video nobody gave a size for: the picture's own aspect ratio at the area of 1024x576, each side rounded to a multiple of 32
 * and kept within the limits. The engine crops what rounding leaves over; nothing is stretched.
 *
 * @param picture the upright picture's size in pixels
 * @param request a side that was asked for is kept, and the other one follows from the aspect ratio
 */
export function frameSize(
  picture: { width: number; height: number },
  request: { width?: number | undefined; height?: number | undefined } = {},
): { width: number; height: number } {
  const aspect = picture.width / picture.height
  let { width, height } = request
  if (width === undefined && height === undefined) {
    // Sides within the limits whatever the aspect ratio: a panorama is cropped rather than made a ribbon.
    const bounded = Math.min(Math.max(aspect, 1 / 4), 4)
    width = toStep(Math.sqrt(DEFAULT_FRAME_PIXELS * bounded))
    height = toStep(Math.sqrt(DEFAULT_FRAME_PIXELS / bounded))
  } else if (width === undefined) {
    width = withinArea(toStep(height! * aspect), height!)
  } else if (height === undefined) {
    height = withinArea(toStep(width / aspect), width)
  }
  return { width, height: height! }
}

function toStep(pixels: number): number {
  return Math.min(Math.max(Math.round(pixels / SIZE_STEP) * SIZE_STEP, SIDE.min), SIDE.max)
}

function withinArea(side: number, other: number): number {
  return Math.min(side, Math.floor(MAX_FRAME_PIXELS / other / SIZE_STEP) * SIZE_STEP)
}

/**
 * The request first, then the model's recipe, then the contract.
 *
 * @param request what the job asks for
 * @param recipe what the model prefers; a recipe with `steps` or `guidance_scale` is a generative model's, others leave them out
 * @param picture the upright picture's size in pixels
 */
export function resolveSettings(
  request: RequestedSettings,
  recipe: Recipe,
  picture: { width: number; height: number },
): ResolvedSettings {
  const fps = request.fps ?? recipe.fps ?? FPS.default
  const asked = request.width !== undefined || request.height !== undefined
  const size = frameSize(picture, asked ? request : recipe)
  const generative = recipe.steps !== undefined || recipe.guidance_scale !== undefined
  const guidance_scale = generative ? (request.guidance_scale ?? recipe.guidance_scale) : undefined
  return {
    prompt: request.prompt?.trim() || recipe.prompt || DEFAULT_PROMPT,
    ...(generative
      ? {
          negative_prompt: request.negative_prompt ?? recipe.negative_prompt ?? DEFAULT_NEGATIVE_PROMPT,
          steps: request.steps ?? recipe.steps ?? DEFAULT_STEPS,
        }
      : {}),
    ...(guidance_scale === undefined ? {} : { guidance_scale }),
    duration: request.duration,
    seed: request.seed,
    ...size,
    fps,
    num_frames: frameCount(request.duration, fps),
  }
}
