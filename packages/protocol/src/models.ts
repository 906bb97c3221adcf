/** Models: what each can do, and whether a worker serves it. `GET /api/v1/models`. */
import * as z from 'zod/mini'
import { DURATION, FPS, MAX_FRAME_PIXELS, MODEL_LIMITS, SIZE_STEP } from './limits.ts'

/** What a model can do, as its worker's checkpoint says. What is left out is not known. */
export const Abilities = z.object({
  /** Takes pictures beside the first one: last and other frames. */
  images: z.optional(z.boolean()),
  /** Makes sound. */
  audio: z.optional(z.boolean()),
  /** Pixels: width and height are multiples of it. */
  size_step: z.optional(z.int().check(z.minimum(1))),
  /** Seconds of video. */
  max_duration: z.optional(z.number().check(z.minimum(1))),
  /** Width times height. */
  max_pixels: z.optional(z.int().check(z.minimum(1))),
  /** Frames a second. */
  fps: z.optional(z.object({ min: z.number(), max: z.number() })),
})
export type Abilities = z.output<typeof Abilities>

/** What requests for a model are checked against: its abilities where they are known, the protocol's limits elsewhere. */
export const ModelLimits = z.object({
  max_duration: z.number(),
  max_pixels: z.int(),
  max_frames: z.int(),
  size_step: z.int(),
  fps: z.object({ min: z.number(), max: z.number() }),
})
export type ModelLimits = z.output<typeof ModelLimits>

export const Model = z.object({
  /** The name that a request gives as `model`. */
  model: z.string(),
  /** Whether it is the one of requests that name none. */
  default: z.boolean(),
  /** Whether a worker has asked for its jobs lately. */
  available: z.boolean(),
  /** As announced last by a worker; left out while none has. */
  abilities: z.optional(Abilities),
  limits: ModelLimits,
})
export type Model = z.output<typeof Model>

/** The server's models, the default first. */
export const ModelList = z.object({ models: z.array(Model) })
export type ModelList = z.output<typeof ModelList>

/** What models of Kinora's own can do, whose engine needs no checkpoint: known before any worker has announced it. */
export const BUILT_IN_ABILITIES = {
  camera: {
    images: false,
    audio: false,
    size_step: SIZE_STEP,
    max_duration: DURATION.max,
    max_pixels: MAX_FRAME_PIXELS,
    fps: { min: FPS.min, max: FPS.max },
  },
} as const satisfies Record<string, Abilities>

/** The limits of a model's requests, from what is known of its abilities. */
export function limitsOf({ max_duration, max_pixels, size_step, fps }: Abilities = {}): ModelLimits {
  return {
    max_duration: Math.min(max_duration ?? MODEL_LIMITS.max_duration, MODEL_LIMITS.max_duration),
    max_pixels: Math.min(max_pixels ?? MODEL_LIMITS.max_pixels, MODEL_LIMITS.max_pixels),
    max_frames: MODEL_LIMITS.max_frames,
    size_step: size_step ?? MODEL_LIMITS.size_step,
    fps: {
      min: Math.max(fps?.min ?? MODEL_LIMITS.fps.min, MODEL_LIMITS.fps.min),
      max: Math.min(fps?.max ?? MODEL_LIMITS.fps.max, MODEL_LIMITS.fps.max),
    },
  }
}

/** What a request wants of its model. */
export interface WantedAbilities {
  readonly duration: number
  readonly fps?: number | undefined
  readonly width?: number | undefined
  readonly height?: number | undefined
  /** How many, the one at the start included. */
  readonly pictures: number
}

/**
 * Why a model cannot make what is wanted, as far as its abilities are known.
 *
 * @returns the request's field, and what the model does instead ("takes one picture"); null where nothing is known against it
 */
export function lackedAbility(
  { duration, fps, width, height, pictures }: WantedAbilities,
  abilities: Abilities,
): { readonly path: string; readonly message: string } | null {
  const { size_step, max_duration, max_pixels } = limitsOf(abilities)
  const range = abilities.fps
  if (pictures > 1 && abilities.images === false) return { path: 'images', message: 'takes one picture, at the start' }
  if (duration > max_duration) return { path: 'duration', message: `makes at most ${max_duration} seconds` }
  if (range && fps !== undefined && (fps < range.min || fps > range.max)) {
    const allowed = range.min === range.max ? `${range.min}` : `${range.min} to ${range.max}`
    return { path: 'fps', message: `makes ${allowed} frames a second` }
  }
  for (const [path, side] of Object.entries({ width, height })) {
    if (side !== undefined && side % size_step !== 0) return { path, message: `needs multiples of ${size_step} pixels` }
  }
  if (width !== undefined && height !== undefined && width * height > max_pixels) {
    return { path: 'width', message: `makes at most ${max_pixels} pixels a frame, not ${width * height}` }
  }
  return null
}

/** Why a request is refused to a model. */
export interface ModelRefusal {
  /** The request's field. */
  readonly path: string
  /** The model and what it does instead ("camera takes one picture"). */
  readonly message: string
  /** The whole of it, with the models that are not known not to do it. */
  readonly sentence: string
}

/**
 * @param models all that there are, of which some may do it
 * @param abilitiesOf undefined where nothing is known
 * @returns null where nothing is known against the request
 */
export function refusalOf(
  model: string,
  wanted: WantedAbilities,
  models: readonly string[],
  abilitiesOf: (model: string) => Abilities | undefined,
): ModelRefusal | null {
  const lackOf = (name: string) => lackedAbility(wanted, abilitiesOf(name) ?? {})
  const lacked = lackOf(model)
  if (!lacked) return null
  const able = models.filter((name) => name !== model && !lackOf(name))
  const others = able.length > 0 ? `Ask for another: ${able.join(', ')}.` : 'No other model here does.'
  const message = `${model} ${lacked.message}`
  return { path: lacked.path, message, sentence: `The model ${message}. ${others}` }
}
