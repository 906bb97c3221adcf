/** Pictures of a video beside the first one: at which frame each stands, and how closely the video keeps to it. */
import * as z from 'zod/mini'
import { HttpUrl } from './http-url.ts'
import { Id } from './id.ts'
import { FPS, IMAGE_STRENGTH, MAX_IMAGES } from './limits.ts'
import { frameCount } from './settings.ts'

/** Where in the video a picture stands: exactly one of the three. */
const place = {
  /** The frame, 0 for the first. Models may move it to the nearest frame they can hold. */
  frame: z.optional(z.int().check(z.minimum(0))),
  /** The first or the last frame. */
  at: z.optional(z.enum(['start', 'end'])),
  /** Seconds from the start. */
  seconds: z.optional(z.number().check(z.minimum(0))),
}

const strength = z._default(z.number().check(z.minimum(IMAGE_STRENGTH.min), z.maximum(IMAGE_STRENGTH.max)), 1)

/** A place in the video, as the wire writes it. */
export interface PicturePlace {
  readonly frame?: number | undefined
  readonly at?: 'start' | 'end' | undefined
  readonly seconds?: number | undefined
}

/** One of a request's `images`: the picture, its place, its strength. */
export const ImageRequest = z
  .object({
    /** The picture: exactly one of `image_url` and `upload_id`. */
    image_url: z.optional(HttpUrl),
    upload_id: z.optional(Id),
    ...place,
    /** How closely the video keeps to the picture, 0..1. */
    strength,
  })
  .check(
    z.check((context) => {
      const { image_url, upload_id } = context.value
      exactlyOne(context, { image_url, upload_id }, 'image_url')
    }),
    z.check((context) => {
      const { frame, at, seconds } = context.value
      exactlyOne(context, { frame, at, seconds }, 'frame')
    }),
  )
export type ImageRequest = z.input<typeof ImageRequest>

/** 1 to 8 pictures, no two at one frame, one of them at frame 0. */
export const ImageRequests = z.array(ImageRequest).check(
  z.minLength(1),
  z.maxLength(MAX_IMAGES),
  z.check((context) => {
    const places = context.value.map(placeKey)
    const twice = places.findIndex((place, index) => places.indexOf(place) < index)
    const refuse = (message: string, path: (string | number)[]): void => {
      context.issues.push({ code: 'custom', input: context.value, message, path })
    }
    if (twice >= 0) refuse('stands at the same place as another picture: give each its own', [twice])
    if (!places.includes(START)) refuse('need a picture at the start: "frame": 0, or "at": "start"', [])
  }),
)

/** A picture of a job or a lease: where its bytes are to be had, its place and its strength. */
export const PlacedImage = z.object({ image_url: z.url(), ...place, strength })
export type PlacedImage = z.output<typeof PlacedImage>

const START = 'frame 0'

/** Whether a place is the first frame of any video. */
export function isAtStart({ frame, at, seconds }: PicturePlace): boolean {
  return frame === 0 || at === 'start' || seconds === 0
}

/** Equal for places that are the same frame in any video. Which others meet is known when the number of frames is. */
function placeKey(place: PicturePlace): string {
  const { frame, at, seconds } = place
  if (isAtStart(place)) return START
  return at === 'end' ? 'end' : frame !== undefined ? `frame ${frame}` : `second ${seconds}`
}

/**
 * The frame a place means.
 *
 * @param video its frames and frames a second
 * @returns a whole number, which may lie beyond the last frame: whoever makes the video refuses that
 */
export function frameOf({ frame, at, seconds }: PicturePlace, video: { num_frames: number; fps: number }): number {
  if (frame !== undefined) return frame
  if (at !== undefined) return at === 'start' ? 0 : video.num_frames - 1
  const nearest = Math.round((seconds ?? 0) * video.fps)
  const last = video.num_frames - 1
  // Frames are 8k+1, so a video may end up to 7 frames before its duration does; its last second is its last frame.
  return nearest > last && nearest - last < 8 ? last : nearest
}

/**
 * What is wrong with the places of a request's pictures, as far as that can be known before a worker has the job: of a video whose frames a second are left
 * to the model, only what no model could hold.
 *
 * @returns the picture's index and the words, or null
 */
export function placesProblem(
  places: readonly PicturePlace[],
  { duration, fps }: { readonly duration: number; readonly fps?: number | undefined },
): { readonly index: number; readonly message: string } | null {
  const num_frames = frameCount(duration, fps ?? FPS.max)
  const taken = new Map<number, number>()
  for (const [index, place] of places.entries()) {
    const { frame, at, seconds } = place
    if (seconds !== undefined && seconds > duration) {
      return { index, message: `stands at ${seconds} s, but the video ends after ${duration} s` }
    }
    if (frame !== undefined && frame >= num_frames) {
      const most = fps === undefined ? `at most ${num_frames - 1}, at ${FPS.max} frames a second` : num_frames - 1
      return { index, message: `stands at frame ${frame}, but the video's last frame is ${most}` }
    }
    // The end is the same frame in any video; what lies between depends on the frames a second.
    const isLast = at === 'end' || seconds === duration
    if (fps === undefined && !isLast && !isAtStart(place)) continue
    const there = isLast ? num_frames - 1 : frameOf(place, { num_frames, fps: fps ?? FPS.max })
    if (taken.has(there)) {
      return { index, message: `stands at the same frame as another picture: give each its own` }
    }
    taken.set(there, index)
  }
  return null
}

interface Refusing {
  readonly value: unknown
  readonly issues: { push(issue: { code: 'custom'; input: unknown; message: string; path: string[] }): unknown }
}

function exactlyOne(context: Refusing, fields: Readonly<Record<string, unknown>>, path: string): void {
  const given = Object.values(fields).filter((value) => value !== undefined).length
  if (given === 1) return
  const names = Object.keys(fields).map((name) => `"${name}"`)
  const list = `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`
  context.issues.push({
    code: 'custom',
    input: context.value,
    message: given === 0 ? `give one of ${list}` : `give only one of ${list}`,
    path: [path],
  })
}
