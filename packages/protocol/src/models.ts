/** Models: what each can do, and whether a worker serves it. `GET /api/v1/models`. */
import * as z from 'zod/mini'

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
