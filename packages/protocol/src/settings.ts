/** How a request, a model's recipe and the contract's defaults become the settings a video is made with. Pure functions, used by the worker. */
import * as z from 'zod/mini'
import {
  DEFAULT_FRAME_PIXELS,
  DEFAULT_NEGATIVE_PROMPT,
  DEFAULT_PROMPT,
  DEFAULT_STEPS,
  FPS,
  MAX_FRAME_PIXELS,
  SIDE,
  SIZE_STEP,
} from './limits.ts'
import { type Setting, SETTING_NAMES, type SettingName, SETTINGS } from './settings-table.ts'

type SettingSchema<Name extends SettingName> = (typeof SETTINGS)[Name]['type'] extends 'text'
  ? z.ZodMiniString<string>
  : z.ZodMiniNumber<number>

function schemaOf(setting: Setting): z.ZodMiniString<string> | z.ZodMiniNumber<number> {
  if (setting.type === 'text') return z.string().check(z.maxLength(setting.maxLength))
  const ranged = plain(setting.type).check(z.minimum(setting.min), z.maximum(setting.max))
  return setting.multipleOf === undefined ? ranged : ranged.check(z.multipleOf(setting.multipleOf))
}

function plain(type: 'integer' | 'number'): z.ZodMiniNumber<number> {
  return type === 'integer' ? z.int() : z.number()
}

/** One schema a setting, from the table. */
const schemas = Object.fromEntries(SETTING_NAMES.map((name) => [name, schemaOf(SETTINGS[name])])) as {
  readonly [Name in SettingName]: SettingSchema<Name>
}

const open = Object.fromEntries(SETTING_NAMES.map((name) => [name, z.optional(schemas[name])])) as {
  readonly [Name in SettingName]: z.ZodMiniOptional<SettingSchema<Name>>
}

/** The settings as a job tells them: without ranges, since a client must read the jobs of a server that allows more than it knows of. */
export const toldFields = {
  ...(Object.fromEntries(
    SETTING_NAMES.map((name) => {
      const { type } = SETTINGS[name]
      return [name, z.optional(type === 'text' ? z.string() : plain(type))]
    }),
  ) as typeof open),
  duration: z.int(),
  seed: z.int(),
  num_frames: z.optional(z.int()),
}

/** The settings as a request may give them. Everything but `duration` may be left open. */
export const settingsFields = { ...open, duration: z._default(schemas.duration, SETTINGS.duration.default) }

/** The settings exactly as a caller asked for them, without any default: what to send again to repeat a job. */
export const AskedSettings = z.object(open)
export type AskedSettings = z.output<typeof AskedSettings>

/** What a worker is asked for: the request's own words plus a seed, which the server draws once so that a second attempt makes the same video. */
export const RequestedSettings = z.object({ ...settingsFields, seed: schemas.seed })
export type RequestedSettings = z.output<typeof RequestedSettings>

/** What the video was really made with; it stands in the job once a worker has the picture. A setting that the model does not use is not there. */
export const ResolvedSettings = z.object({
  ...open,
  prompt: schemas.prompt,
  duration: schemas.duration,
  seed: schemas.seed,
  width: schemas.width,
  height: schemas.height,
  fps: schemas.fps,
  num_frames: z.int().check(z.minimum(1)),
})
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
  // Only of use to a model whose recipe has them.
  const image_crf = recipe.image_crf === undefined ? undefined : (request.image_crf ?? recipe.image_crf)
  const image_strength =
    recipe.image_strength === undefined ? undefined : (request.image_strength ?? recipe.image_strength)
  return {
    prompt: request.prompt?.trim() || recipe.prompt || DEFAULT_PROMPT,
    ...(generative
      ? {
          negative_prompt: request.negative_prompt ?? recipe.negative_prompt ?? DEFAULT_NEGATIVE_PROMPT,
          steps: request.steps ?? recipe.steps ?? DEFAULT_STEPS,
        }
      : {}),
    ...(guidance_scale === undefined ? {} : { guidance_scale }),
    ...(image_crf === undefined ? {} : { image_crf }),
    ...(image_strength === undefined ? {} : { image_strength }),
    duration: request.duration,
    seed: request.seed,
    ...size,
    fps,
    num_frames: frameCount(request.duration, fps),
  }
}
